"""The roles of a city, as a closed catalogue. Each is a Django group of the same name; modules grant to them by name.

Titles are gettext message ids. `scope` is how far a role goes at the data APIs; `permissions` are those of identity,
the permissions of the modules come with their declarations.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mainzdigital.kernel.access import Scope


def _(message_id: str) -> str:
    """Marks a text for translation. Django's own would load its settings, which need this catalogue."""
    return message_id


CITIZEN = "citizen"
CLERK = "clerk"
DATA_STEWARD = "data_steward"
LEADERSHIP = "leadership"
ADMINISTRATION = "administration"


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    title: str
    summary: str
    scope: Scope | None = None
    permissions: tuple[str, ...] = ()
    staff: bool = True


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role(CITIZEN, _("Citizen"), _("Takes part, applies, reports."), staff=False),
        Role(CLERK, _("Clerk"), _("Works on cases and enters data."), Scope.WRITE),
        Role(
            DATA_STEWARD,
            _("Data steward"),
            _("Answers for data sets: who sees them, how good they are, how long they are kept."),
            Scope.MANAGE,
        ),
        Role(LEADERSHIP, _("Leadership (CDO)"), _("Decides on projects and reports."), Scope.READ),
        Role(
            ADMINISTRATION,
            _("Administration"),
            _("Runs the platform: accounts, roles, keys."),
            Scope.MANAGE,
            (
                "identity.view_account", "identity.add_account", "identity.change_account",
                "identity.view_organisation", "identity.add_organisation", "identity.change_organisation",
                "identity.delete_organisation",
                "identity.view_delegation", "identity.change_delegation",
                "identity.view_apikey", "identity.change_apikey",
                "identity.view_auditevent", "identity.view_outboxmail",
            ),
        ),
    )
}  # fmt: skip

_ORDER = (None, Scope.READ, Scope.WRITE, Scope.MANAGE)


def scope_of(roles: Iterable[str]) -> Scope | None:
    """The widest scope among these roles; names outside the catalogue give nothing."""
    return max((ROLES[name].scope for name in roles if name in ROLES), key=_ORDER.index, default=None)


def within(scope: Scope, limit: Scope | None) -> bool:
    return _ORDER.index(scope) <= _ORDER.index(limit)
