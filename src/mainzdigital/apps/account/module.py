"""One's own account: data, sign-in, keys, delegations, export, erasure."""

from mainzdigital.kernel.modules import Link, Module, PersonalData

_CONTRACT = "Art. 6 (1) (b) GDPR"
_SECURITY = "Art. 6 (1) (e) GDPR"

MODULE = Module(
    slug="account",
    title="My account",
    summary="Your data, your sign-in and its second factor, keys for the interfaces, roles lent and borrowed.",
    strategy=("P5",),
    navigation=(
        Link("My data", "account:overview", area="account", order=10),
        Link("API keys", "account:keys", area="account", order=20),
        Link("Delegations", "account:delegations", area="account", order=30),
        Link("Export and erase", "account:privacy", area="account", order=40),
    ),
    personal_data=(
        PersonalData("identity.Account", "Your account", _CONTRACT, None, "pk"),
        PersonalData("account.EmailAddress", "Reaching you and restoring your access", _CONTRACT, None, "user"),
        PersonalData("mfa.Authenticator", "Second factor", _CONTRACT, None, "user"),
        PersonalData("socialaccount.SocialAccount", "Sign-in by another provider", _CONTRACT, None, "user"),
        PersonalData("usersessions.UserSession", "Showing you where you are signed in", _CONTRACT, None, "user"),
        PersonalData("identity.ApiKey", "API keys", _CONTRACT, None, "owner"),
        PersonalData("identity.Delegation", "Roles you lent", _SECURITY, None, "lender"),
        PersonalData("identity.Delegation", "Roles lent to you", _SECURITY, None, "borrower"),
        PersonalData("identity.OutboxMail", "Mail sent to you", _CONTRACT, 30, "recipients"),
        PersonalData("identity.AuditEvent", "Audit log, protecting the platform", _SECURITY, 400, "actor"),
    ),
    signed_in_pages=(
        "overview", "keys", "key_new", "key_revoke", "delegations", "delegation_new", "delegation_revoke",
        "privacy", "export", "erase",
    ),
)  # fmt: skip
