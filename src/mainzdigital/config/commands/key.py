"""`mainzdigital key`: API keys from the command line."""

import json
import os
from typing import TYPE_CHECKING

import click

from mainzdigital.kernel.access import Scope

if TYPE_CHECKING:
    from mainzdigital.identity.models import Account


def _django() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mainzdigital.config.django")
    django.setup()


@click.group()
def command() -> None:
    """Create, list and revoke API keys of the data APIs."""


@command.command()
@click.option("--scope", type=click.Choice([scope.value for scope in Scope]), default="read", show_default=True)
@click.option("--name", default="command line", show_default=True, help="What the key is for.")
@click.option("--owner", default="", help="User name of the account it belongs to; its roles bound the scope.")
@click.option("--days", type=click.IntRange(1, 36500), help="Days until it ends; without, it works until revoked.")
@click.option("--json", "as_json", is_flag=True, help="Print key, id, prefix and scope as JSON.")
def create(scope: str, name: str, owner: str, days: int | None, as_json: bool) -> None:
    """Print a new key, and nothing else; it cannot be shown again."""
    _django()
    from datetime import timedelta

    from django.utils import timezone

    from mainzdigital.identity.services import create_key

    plain, key = create_key(
        name=name,
        scope=Scope(scope),
        owner=_account(owner) if owner else None,
        expires=timezone.now() + timedelta(days=days) if days else None,
    )
    answer = {"key": plain, "id": key.pk, "prefix": key.prefix, "scope": key.scope}
    click.echo(json.dumps(answer) if as_json else plain)


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_keys(as_json: bool) -> None:
    """List keys: id, beginning, scope, name, owner, state."""
    _django()
    from mainzdigital.identity.models import ApiKey

    for key in ApiKey.objects.select_related("owner"):
        row: dict[str, object] = {
            "id": key.pk,
            "prefix": key.prefix,
            "scope": key.scope,
            "name": key.name,
            "owner": key.owner.username if key.owner else None,
            "expires": key.expires.isoformat() if key.expires else None,
            "last_used": key.last_used.isoformat() if key.last_used else None,
            "revoked": key.revoked.isoformat() if key.revoked else None,
        }
        shown = (str(value) if value is not None else "-" for value in row.values())
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else "\t".join(shown))


@command.command()
@click.argument("key_id", type=int)
def revoke(key_id: int) -> None:
    """Revoke the key of this id (see `list`); it stops working at once."""
    _django()
    from mainzdigital.identity.models import ApiKey
    from mainzdigital.identity.services import revoke_key
    from mainzdigital.kernel.errors import NotFound

    key = ApiKey.objects.filter(pk=key_id).first()
    if key is None:
        raise NotFound(f"there is no key {key_id}", remedy="`mainzdigital key list` shows them")
    revoke_key(key=key)


def _account(username: str) -> "Account":
    from mainzdigital.identity.models import Account
    from mainzdigital.kernel.errors import NotFound

    found = Account.objects.filter(username=username.lower(), is_active=True).first()
    if found is None:
        raise NotFound(f"there is no active account '{username}'", where="--owner")
    return found
