"""`mainzdigital key`: API keys of machines and operators. People make theirs in the portal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click

from mainzdigital.config.commands import city_settings
from mainzdigital.config.database import database_at_hand
from mainzdigital.config.exits import EPILOG
from mainzdigital.config.report import Report, json_option
from mainzdigital.kernel.access import Scope
from mainzdigital.kernel.errors import NotFound


@contextmanager
def _django() -> Iterator[None]:
    """Django over a database of this version."""
    with database_at_hand(city_settings()):
        from mainzdigital.config.migrating import migrate

        # A key may be the first thing ever asked for.
        migrate(Report(as_json=False, silent=True))
        import django

        django.setup()
        try:
            yield
        finally:
            from django.db import connections

            connections.close_all()


@click.group(epilog=EPILOG)
def command() -> None:
    """Make, list and revoke API keys; the city may run or not."""
    os.umask(0o077)


@command.command(epilog=EPILOG)
@click.option(
    "--scope", type=click.Choice([scope.value for scope in Scope]), default=Scope.READ.value, show_default=True,
    help="What the key may do; each includes the ones before it.",
)  # fmt: skip
@click.option("--name", default="command line", show_default=True, help="What it is for.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is good; without it until revoked.")
@json_option
def create(*, scope: str, name: str, days: int | None, as_json: bool) -> None:
    """Make a key. Prints the key and nothing else; it is shown this once."""
    with _django():
        from mainzdigital.identity.services import create_key

        expires = datetime.now(UTC) + timedelta(days=days) if days else None
        plain, key = create_key(name=name, scope=Scope(scope), expires=expires)
        Report(as_json=as_json).result(plain, key=plain, id=key.pk, scope=scope, name=name, expires=expires)


@command.command(name="list", epilog=EPILOG)
@json_option
def list_keys(*, as_json: bool) -> None:
    """List all keys; the keys themselves are not kept."""
    with _django():
        from mainzdigital.identity.models import ApiKey

        report = Report(as_json=as_json)
        for key in ApiKey.objects.order_by("id").select_related("owner"):
            state = "revoked" if key.revoked else "ended" if key.expires and key.expires < datetime.now(UTC) else "good"
            report.result(
                f"{key.pk:>5}  {key.prefix}…  {key.scope:<6}  {state:<7}  {key.name}",
                id=key.pk, prefix=key.prefix, scope=key.scope, state=state, name=key.name, created=key.created,
                expires=key.expires, last_used=key.last_used,
            )  # fmt: skip


@command.command(epilog=EPILOG)
@click.argument("number", type=int)
@json_option
def revoke(*, number: int, as_json: bool) -> None:
    """Revoke the key of this number (see `key list`); running processes drop it at once."""
    with _django():
        from mainzdigital.identity.models import ApiKey
        from mainzdigital.identity.services import revoke_key

        key = ApiKey.objects.filter(pk=number).first()
        if key is None:
            raise NotFound(f"there is no key {number}", remedy="see: mainzdigital key list")
        revoke_key(key=key)
        Report(as_json=as_json).result(f"key {number} ({key.name}) is revoked", id=number)
