"""Roles, delegation in time and what follows for permissions and scope."""

from datetime import timedelta

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from mainzdigital.identity import rights, services
from mainzdigital.identity.models import Account, AuditEvent, Delegation
from mainzdigital.kernel.access import Scope
from mainzdigital.kernel.errors import Conflict, Forbidden, InvalidInput

NOW = timezone.now()
HOUR = timedelta(hours=1)


def account(name: str, *roles: str) -> Account:
    return services.create_account(username=name, password=None, roles=roles)


def lend(lender: Account, borrower: Account, role: str = "clerk") -> Delegation:
    return services.delegate(
        lender=lender, borrower=borrower, role=role, starts=NOW - HOUR, ends=NOW + HOUR, reason="holidays"
    )


def fresh(found: Account) -> Account:
    return Account.objects.get(pk=found.pk)


def test_roles_give_permissions_and_scope(db: psycopg.Connection) -> None:
    clerk, nobody = account("clerk", "clerk"), account("nobody")
    assert clerk.has_perm("about.read_feedback")
    assert (clerk.scope, clerk.is_staff) == (Scope.WRITE, False)
    assert (nobody.scope, nobody.permissions, nobody.is_staff) == (None, frozenset(), False)
    assert account("admin", "administration").is_staff


def test_an_inactive_account_may_nothing(db: psycopg.Connection) -> None:
    admin = account("admin", "administration")
    assert admin.has_perm("identity.view_account")
    Account.objects.update(is_active=False)
    admin = fresh(admin)
    assert (admin.has_perm("identity.view_account"), admin.scope, admin.is_staff) == (False, None, False)


def test_a_lent_role_counts_from_start_to_end(db: psycopg.Connection) -> None:
    lender, borrower = account("lender", "clerk"), account("borrower", "citizen")
    lend(lender, borrower)
    expected = {
        NOW - HOUR - timedelta(seconds=1): {"citizen"},
        NOW - HOUR: {"citizen", "clerk"},
        NOW + HOUR - timedelta(seconds=1): {"citizen", "clerk"},
        NOW + HOUR: {"citizen"},
    }
    assert {when: rights.effective_roles(borrower, now=when) for when in expected} == expected
    assert fresh(borrower).has_perm("about.read_feedback")
    assert fresh(borrower).scope == Scope.WRITE


def test_revoking_ends_at_once_and_overlaps_count_each_for_itself(db: psycopg.Connection) -> None:
    lender, borrower = account("lender", "clerk"), account("borrower")
    first, second = lend(lender, borrower), lend(lender, borrower)
    services.revoke_delegation(delegation=first)
    assert fresh(borrower).roles == {"clerk"}
    services.revoke_delegation(delegation=second)
    assert fresh(borrower).roles == frozenset()
    services.revoke_delegation(delegation=second)
    assert AuditEvent.objects.filter(kind="delegation_revoked").count() == 2


def test_nobody_lends_what_they_do_not_hold(db: psycopg.Connection) -> None:
    lender, borrower, third = account("lender", "clerk"), account("borrower"), account("third")
    with pytest.raises(Forbidden):
        lend(lender, borrower, role="administration")
    lend(lender, borrower)
    with pytest.raises(Forbidden):  # lent roles are not lent on
        lend(borrower, third)
    assert fresh(third).roles == frozenset()


def test_what_was_lent_lapses_with_the_lender(db: psycopg.Connection) -> None:
    lender, borrower = account("lender", "clerk"), account("borrower")
    lend(lender, borrower)
    assert fresh(borrower).roles == {"clerk"}
    services.withdraw_role(account=lender, role="clerk")
    assert fresh(borrower).roles == frozenset()
    services.grant_role(account=lender, role="clerk")
    assert fresh(borrower).roles == {"clerk"}
    Account.objects.filter(pk=lender.pk).update(is_active=False)
    assert fresh(borrower).roles == frozenset()


def test_impossible_delegations_are_refused(db: psycopg.Connection) -> None:
    lender, borrower = account("lender", "clerk", "citizen"), account("borrower")
    good = {"lender": lender, "borrower": borrower, "role": "clerk", "starts": NOW, "ends": NOW + HOUR, "reason": "r"}
    wrong: list[dict[str, object]] = [
        {"borrower": lender},
        {"ends": NOW},
        {"starts": NOW - 3 * HOUR, "ends": NOW - 2 * HOUR},
        {"reason": "  "},
        {"role": "mayor"},
    ]
    for change in wrong:
        with pytest.raises(InvalidInput):
            services.delegate(**(good | change))  # type: ignore[arg-type]
    with pytest.raises(Forbidden):
        services.delegate(**(good | {"role": "citizen"}))  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="delegation_to_another"), transaction.atomic():
        Delegation.objects.create(
            lender=lender, borrower=lender, role=lender.groups.get(name="clerk"), starts=NOW, ends=NOW + HOUR, reason=""
        )


def test_roles_are_one_query_and_permissions_another(db: psycopg.Connection) -> None:
    found = account("clerk", "clerk", "citizen")
    lend(account("lender", "leadership"), found, role="leadership")
    found = fresh(found)
    with_queries = len(connection.queries_log)
    connection.force_debug_cursor = True
    try:
        found.has_perm("a.b")
        found.has_perm("about.read_feedback")
        assert found.scope
        assert len(connection.queries_log) - with_queries == 2
    finally:
        connection.force_debug_cursor = False


def test_the_log_names_pseudonyms_only(db: psycopg.Connection) -> None:
    lender, borrower = account("lender", "clerk"), account("borrower")
    lend(lender, borrower)
    services.withdraw_role(account=lender, role="clerk")
    kinds = list(AuditEvent.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["role_granted", "delegated", "role_withdrawn"]
    texts = [text for (text,) in db.execute("SELECT to_jsonb(e)::text FROM audit_event e").fetchall()]
    assert not any("lender" in text or "borrower" in text for text in texts)
    assert any(borrower.pseudonym.hex in text for text in texts)


def test_names_and_addresses_are_taken_once_whatever_their_case(db: psycopg.Connection) -> None:
    services.create_account(username="Erika", password=None, email="erika@stadt.example")
    with pytest.raises(Conflict):
        services.create_account(username="eRIKA", password=None)
    with pytest.raises(Conflict):
        services.create_account(username="other", password=None, email="ERIKA@stadt.example")
    services.create_account(username="a", password=None)
    services.create_account(username="b", password=None)
