"""One account for each role, so that everybody can look at the demo city with different eyes."""

import secrets

_ACCOUNTS: tuple[tuple[str, str, str], ...] = (
    ("buergerin", "Bürgerin Demo", "citizen"),
    ("sachbearbeitung", "Sachbearbeitung Demo", "clerk"),
    ("datenverwaltung", "Datenverwaltung Demo", "data_steward"),
    ("leitung", "Leitung Demo", "leadership"),
    ("admin", "Administration Demo", "administration"),
)


def ensure_accounts(known: dict[str, str]) -> dict[str, str]:
    """Make the accounts that are missing; answers names and passwords, as far as they were made here.

    An account that somebody made or whose password somebody changed is left alone.
    """
    from mainzdigital.identity.models import Account
    from mainzdigital.identity.services import create_account

    passwords = dict(known)
    for username, title, role in _ACCOUNTS:
        if Account.objects.filter(username=username).exists():
            continue
        passwords[username] = secrets.token_urlsafe(9)
        create_account(
            username=username,
            password=passwords[username],
            email=f"{username}@stadt.example",
            display_name=title,
            roles=(role,),
        )
    return passwords
