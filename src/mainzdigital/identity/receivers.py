"""What follows from events of Django and allauth: roles in step with the catalogue, entries in the audit log."""

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as mfa_signals
from allauth.socialaccount import signals as social_signals
from django.apps import AppConfig
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models.signals import m2m_changed
from django.http import HttpRequest

from mainzdigital.identity import audit, services
from mainzdigital.identity.audit import Kind
from mainzdigital.identity.models import Account
from mainzdigital.identity.roles import ROLES
from mainzdigital.kernel import registry

UID = "identity.receivers"


def connect() -> None:
    """Connect every receiver of this file; Django's dispatcher holds them weakly, so they are module functions."""
    user_logged_in.connect(_signed_in, dispatch_uid=UID)
    user_logged_out.connect(_signed_out, dispatch_uid=UID)
    user_login_failed.connect(_sign_in_failed, dispatch_uid=UID)
    account_signals.user_signed_up.connect(_signed_up, dispatch_uid=UID)
    for signal in (account_signals.password_set, account_signals.password_changed, account_signals.password_reset):
        signal.connect(_password, dispatch_uid=UID)
    for signal in (account_signals.email_added, account_signals.email_changed, account_signals.email_removed):
        signal.connect(_address, dispatch_uid=UID)
    for signal in (
        mfa_signals.authenticator_added, mfa_signals.authenticator_removed, mfa_signals.authenticator_reset,
    ):  # fmt: skip
        signal.connect(_second_factor, dispatch_uid=UID)
    for signal in (social_signals.social_account_added, social_signals.social_account_removed):
        signal.connect(_connection, dispatch_uid=UID)
    m2m_changed.connect(_roles_changed, sender=Account.groups.through, dispatch_uid=UID)


def sync_after_migrate(app_config: AppConfig, **_: Any) -> None:
    create_permissions(app_config, verbosity=0)  # Django's own receiver may come after ours
    sync_roles()


@transaction.atomic
def sync_roles() -> None:
    """Make groups and their permissions what the catalogue and the modules declare; other groups stay untouched."""
    granted: dict[str, set[int]] = {name: set() for name in ROLES}
    for module in registry.modules():
        kind = ContentType.objects.get_or_create(app_label=module.slug, model="module")[0]
        for entry in module.permissions:
            permission = Permission.objects.update_or_create(
                content_type=kind, codename=entry.codename, defaults={"name": entry.title[:255]}
            )[0]
            for group in entry.groups:
                granted[group].add(permission.pk)
        Permission.objects.filter(content_type=kind).exclude(
            codename__in=[entry.codename for entry in module.permissions]
        ).delete()
    for role in ROLES.values():
        for name in role.permissions:
            app_label, codename = name.split(".")
            found = Permission.objects.filter(content_type__app_label=app_label, codename=codename)
            granted[role.name].update(found.values_list("pk", flat=True))
        Group.objects.get_or_create(name=role.name)[0].permissions.set(granted[role.name])


def _signed_in(request: HttpRequest, user: Account, **_: Any) -> None:
    audit.record(kind=Kind.SIGN_IN, actor=user, object=user.subject)


def _signed_out(request: HttpRequest, user: Account | None, **_: Any) -> None:
    if user is not None:
        audit.record(kind=Kind.SIGN_OUT, actor=user, object=user.subject)


def _sign_in_failed(credentials: dict[str, Any], **_: Any) -> None:
    audit.record_failed_sign_in(name=str(credentials.get("username") or credentials.get("email") or ""))


def _signed_up(request: HttpRequest, user: Account, **_: Any) -> None:
    audit.record(kind=Kind.SIGN_UP, actor=user, object=user.subject)
    services.grant_role(account=user, role="citizen")


def _password(request: HttpRequest, user: Account, **_: Any) -> None:
    audit.record(kind=Kind.PASSWORD, actor=user, object=user.subject)


def _address(request: HttpRequest, user: Account, **_: Any) -> None:
    audit.record(kind=Kind.ACCOUNT, actor=user, object=user.subject, field="email")


def _second_factor(request: HttpRequest, user: Account, authenticator: Any, **_: Any) -> None:
    audit.record(kind=Kind.SECOND_FACTOR, actor=user, object=user.subject, type=authenticator.type)


def _connection(request: HttpRequest, **arguments: Any) -> None:
    login = arguments.get("sociallogin") or arguments["socialaccount"]
    connection = getattr(login, "account", login)
    audit.record(kind=Kind.CONNECTION, object=connection.user.subject, provider=connection.provider)


def _roles_changed(instance: Account | Group, action: str, reverse: bool, pk_set: set[int] | None, **_: Any) -> None:
    kinds = {"post_add": Kind.ROLE_GRANTED, "post_remove": Kind.ROLE_WITHDRAWN, "pre_clear": Kind.ROLE_WITHDRAWN}
    if action in kinds:
        for account, role in _pairs(instance, reverse=reverse, keys=pk_set):
            audit.record(kind=kinds[action], object=account.subject, role=role)
    if action in ("post_remove", "post_clear"):
        for account in [instance] if isinstance(instance, Account) else Account.objects.filter(pk__in=pk_set or ()):
            services.revoke_keys_beyond(account=account)


def _pairs(instance: Account | Group, *, reverse: bool, keys: set[int] | None) -> list[tuple[Account, str]]:
    if isinstance(instance, Account):
        groups = instance.groups.all() if keys is None else Group.objects.filter(pk__in=keys)
        return [(instance, name) for name in groups.values_list("name", flat=True)]
    accounts = Account.objects.filter(groups=instance) if keys is None else Account.objects.filter(pk__in=keys)
    return [(account, instance.name) for account in accounts]
