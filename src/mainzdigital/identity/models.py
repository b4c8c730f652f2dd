"""People, organisations, delegations, API keys, the audit log and the outbox. Verbs stand in services.py.

The audit log names an account by its pseudonym only: when an account is erased its pseudonym goes, and the log,
which nobody can change, speaks of nobody any more.
"""

import uuid
from collections.abc import Iterable
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from mainzdigital.kernel.access import Scope


class Organisation(models.Model):
    """An office, a municipal company, a partner."""

    name = models.CharField(_("name"), max_length=200, unique=True)

    class Meta:
        db_table = "organisation"
        ordering = ["name"]
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")

    def __str__(self) -> str:
        return self.name


class Trust(models.TextChoices):
    """How surely a person was identified (eIDAS levels, Regulation (EU) 910/2014 Art. 8)."""

    NONE = "", _("not identified")
    LOW = "low", _("low")
    SUBSTANTIAL = "substantial", _("substantial")
    HIGH = "high", _("high")


class AccountManager(BaseUserManager["Account"]):
    """What Django and allauth expect of a user model; the platform itself calls services.create_account."""

    def create_user(self, username: str, email: str = "", password: str | None = None, **fields: object) -> "Account":
        account = self.model(username=username.lower(), email=self.normalize_email(email), **fields)
        account.set_password(password)
        account.save(using=self._db)
        return account

    def get_by_natural_key(self, username: str | None) -> "Account":
        return self.get(username=(username or "").lower())


class Account(AbstractBaseUser):
    username = models.CharField(
        _("user name"), max_length=150, unique=True, validators=[UnicodeUsernameValidator()],
        error_messages={"unique": _("This user name is taken.")},
    )  # fmt: skip
    email = models.EmailField(_("email address"), blank=True)
    display_name = models.CharField(_("display name"), max_length=150, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True, help_text=_("Empty: as the browser asks."))
    organisation = models.ForeignKey(
        Organisation, models.SET_NULL, null=True, blank=True, related_name="accounts", verbose_name=_("organisation")
    )
    groups = models.ManyToManyField(Group, blank=True, related_name="accounts", verbose_name=_("roles"))
    trust_level = models.CharField(
        _("level of trust"), max_length=12, choices=Trust, default=Trust.NONE, blank=True, editable=False
    )
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Inactive accounts cannot sign in."))
    joined = models.DateTimeField(_("since"), default=timezone.now, editable=False)
    pseudonym = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    erased = models.DateTimeField(null=True, editable=False)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = AccountManager()

    class Meta:
        db_table = "account"
        ordering = ["username"]
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.UniqueConstraint(Lower("username"), name="account_username_once"),
            models.UniqueConstraint(Lower("email"), condition=~models.Q(email=""), name="account_email_once"),
            models.CheckConstraint(condition=models.Q(trust_level__in=Trust.values), name="account_trust_known"),
        ]

    def __str__(self) -> str:
        return self.get_full_name()

    def get_full_name(self) -> str:
        return self.display_name or self.username

    def get_short_name(self) -> str:
        return self.get_full_name()

    @property
    def subject(self) -> str:
        """How readers and the audit log's objects name this account: `user:7`."""
        return f"user:{self.pk}"

    @cached_property
    def roles(self) -> frozenset[str]:
        """Roles in force when first asked; a request has its own instance, so it is the request's time."""
        from mainzdigital.identity import rights

        return rights.effective_roles(self, now=timezone.now())

    @cached_property
    def permissions(self) -> frozenset[str]:
        from mainzdigital.identity import rights

        return rights.permissions(self.roles) if self.is_active else frozenset()

    @property
    def scope(self) -> Scope | None:
        """How far this account goes at the data APIs."""
        from mainzdigital.identity.roles import scope_of

        return scope_of(self.roles) if self.is_active else None

    @property
    def is_staff(self) -> bool:
        """Whether the administration is theirs."""
        from mainzdigital.identity.roles import ADMINISTRATION

        return self.is_active and ADMINISTRATION in self.roles

    def has_perm(self, perm: str, obj: object | None = None) -> bool:
        return perm in self.permissions

    def has_perms(self, perm_list: Iterable[str], obj: object | None = None) -> bool:
        return all(perm in self.permissions for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return any(perm.startswith(f"{app_label}.") for perm in self.permissions)

    def get_all_permissions(self, obj: object | None = None) -> set[str]:
        return set(self.permissions)


class Delegation(models.Model):
    """A role lent for a time. In force only while the lender holds the role itself (see rights.py)."""

    lender = models.ForeignKey(Account, models.CASCADE, related_name="lent", verbose_name=_("lent by"))
    borrower = models.ForeignKey(Account, models.CASCADE, related_name="borrowed", verbose_name=_("lent to"))
    role = models.ForeignKey(Group, models.CASCADE, related_name="+", verbose_name=_("role"))
    starts = models.DateTimeField(_("starts"))
    ends = models.DateTimeField(_("ends"))
    reason = models.CharField(_("reason"), max_length=300)
    created = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    revoked = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        db_table = "delegation"
        ordering = ["-starts", "-id"]
        verbose_name = _("delegation")
        verbose_name_plural = _("delegations")
        constraints = [
            models.CheckConstraint(condition=models.Q(ends__gt=models.F("starts")), name="delegation_ends_later"),
            models.CheckConstraint(condition=~models.Q(lender=models.F("borrower")), name="delegation_to_another"),
        ]

    def __str__(self) -> str:
        return f"{self.lender} → {self.borrower}"


class ApiKey(models.Model):
    """An API key; only its digest is kept. A database trigger announces revocation on the channel `city_keys`."""

    name = models.CharField(_("name"), max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(_("begins with"), max_length=16, editable=False)
    scope = models.CharField(
        _("scope"), max_length=10, choices=[
            (Scope.READ.value, _("read")), (Scope.WRITE.value, _("read and write")), (Scope.MANAGE.value, _("manage")),
        ],
    )  # fmt: skip
    owner = models.ForeignKey(
        Account, models.CASCADE, null=True, blank=True, related_name="keys", verbose_name=_("owner")
    )
    created = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used = models.DateField(_("last used"), null=True, blank=True, editable=False)
    revoked = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        db_table = "api_key"
        ordering = ["-created", "-id"]
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.CheckConstraint(condition=models.Q(scope__in=[s.value for s in Scope]), name="api_key_scope_known")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditEvent(models.Model):
    """What happened. The database refuses to change a row, and to delete one before its time (migration 0002)."""

    at = models.DateTimeField(_("when"), db_default=Now(), editable=False, db_index=True)
    kind = models.CharField(_("what"), max_length=40)
    actor = models.CharField(_("who"), max_length=40)  # a pseudonym, `anonymous` or `system`
    object = models.CharField(_("on what"), max_length=100, blank=True)
    origin = models.CharField(_("from where"), max_length=45, blank=True)  # shortened address
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        db_table = "audit_event"
        ordering = ["-id"]
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")

    def __str__(self) -> str:
        return f"{self.kind} {self.object}"


class Attempts(models.Model):
    """Failed sign-ins of one network against one name, counted, so that a flood of them is no flood of audit rows."""

    key = models.CharField(max_length=64, primary_key=True)
    since = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        db_table = "sign_in_attempts"

    def __str__(self) -> str:
        return f"{self.count}"


class OutboxMail(models.Model):
    """A mail written in the transaction that causes it, and sent by the work process afterwards."""

    created = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    recipients = models.JSONField(_("recipients"))
    sender = models.CharField(_("sender"), max_length=320)
    subject = models.CharField(_("subject"), max_length=500)
    message = models.BinaryField()  # the MIME message; emptied once sent
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due = models.DateTimeField(_("next attempt"), null=True, db_index=True)  # null: sent or given up
    sent = models.DateTimeField(_("sent"), null=True)
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta:
        db_table = "outbox_mail"
        ordering = ["-id"]
        verbose_name = _("mail")
        verbose_name_plural = _("outbox")

    def __str__(self) -> str:
        return self.subject
