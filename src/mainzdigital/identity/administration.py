"""The administration at /verwaltung/: for the role, with a second factor, every change in the audit log."""

from typing import TYPE_CHECKING, Any

from allauth.mfa.adapter import get_adapter as second_factor
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import CharField, Model, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Replace
from django.forms import ModelForm, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mainzdigital.identity import audit, services
from mainzdigital.identity.audit import Kind
from mainzdigital.identity.models import Account, ApiKey, AuditEvent, Delegation, Organisation, OutboxMail
from mainzdigital.identity.roles import ROLES


class Administration(admin.AdminSite):
    site_header = _("Administration")
    site_title = _("Administration")
    index_title = _("Accounts, roles, keys")
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        account = request.user
        if not isinstance(account, Account) or not account.is_staff:
            return False
        return not settings.STAFF_TWO_FACTOR or bool(second_factor().is_mfa_enabled(account))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one sign-in; who lacks the second factor is led to it, who lacks the role is refused."""
        from django.core.exceptions import PermissionDenied

        account = request.user
        if not isinstance(account, Account):
            query = urlencode({"next": request.GET.get("next") or reverse("administration:index")})
            return redirect(f"{reverse('account_login')}?{query}")
        if not account.is_staff:
            raise PermissionDenied
        if self.has_permission(request):
            return redirect("administration:index")
        messages.warning(request, gettext("The administration asks for a second factor. Please set one up."))
        return redirect("mfa_index")


site = Administration(name="administration")


if TYPE_CHECKING:
    _ModelChoices = ModelMultipleChoiceField[Group]
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelChoices = ModelMultipleChoiceField
    _ModelAdmin = admin.ModelAdmin


class Audited(_ModelAdmin):
    """Changes go into the audit log beside Django's own history; only the names of changed fields, no contents."""

    def log_addition(self, request: HttpRequest, object: Model, message: Any) -> Any:  # noqa: A002
        _record(object, "add", message)
        return super().log_addition(request, object, message)

    def log_change(self, request: HttpRequest, object: Model, message: Any) -> Any:  # noqa: A002
        _record(object, "change", message)
        return super().log_change(request, object, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for found in queryset:
            _record(found, "delete", [])
        return super().log_deletions(request, queryset)


def _record(found: Model, action: str, message: Any) -> None:
    fields = [
        name for part in (message if isinstance(message, list) else [])
        for name in part.get("changed", {}).get("fields", [])
    ]  # fmt: skip
    name = found.subject if isinstance(found, Account) else f"{found._meta.model_name}:{found.pk}"
    audit.record(kind=Kind.ADMINISTRATION, object=name, action=action, fields=[str(field) for field in fields])


class ReadOnly(Audited):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class _Roles(_ModelChoices):
    def label_from_instance(self, obj: Group) -> str:
        return gettext(ROLES[obj.name].title)


@admin.register(Account, site=site)
class AccountAdmin(Audited):
    list_display = ("username", "display_name", "email", "organisation", "role_titles", "is_active", "joined")
    list_filter = ("groups", "is_active", "organisation")
    search_fields = ("username", "display_name", "email")
    fields = ("username", "display_name", "email", "language", "organisation", "groups", "is_active")
    filter_horizontal = ("groups",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        found: QuerySet[Account] = super().get_queryset(request)
        return found.filter(erased__isnull=True).select_related("organisation").prefetch_related("groups")

    @admin.display(description=_("roles"))
    def role_titles(self, account: Account) -> str:
        return ", ".join(gettext(ROLES[group.name].title) for group in account.groups.all() if group.name in ROLES)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["form_class"] = _Roles
            kwargs["queryset"] = Group.objects.filter(name__in=ROLES)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Account, form: "ModelForm[Account]", change: bool) -> None:
        if not change:  # the person sets a password by "forgotten password"
            obj.set_unusable_password()
        obj.username = obj.username.lower()
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # accounts are closed, or erased by their owners (personal.erase)


@admin.register(Organisation, site=site)
class OrganisationAdmin(Audited):
    search_fields = ("name",)


@admin.register(Delegation, site=site)
class DelegationAdmin(ReadOnly):
    list_display = ("role", "lender", "borrower", "starts", "ends", "revoked")
    list_select_related = ("role", "lender", "borrower")
    actions = ("end",)

    @admin.action(description=_("End now"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Delegation]) -> None:
        for delegation in queryset:
            services.revoke_delegation(delegation=delegation)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("identity.change_delegation")


@admin.register(ApiKey, site=site)
class ApiKeyAdmin(ReadOnly):
    list_display = ("name", "prefix", "scope", "owner", "created", "expires", "last_used", "revoked")
    list_filter = ("scope",)
    list_select_related = ("owner",)
    search_fields = ("name", "prefix")
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(description=_("Revoke"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            services.revoke_key(key=key)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("identity.change_apikey")


@admin.register(AuditEvent, site=site)
class AuditEventAdmin(ReadOnly):
    list_display = ("at", "what", "who", "object", "origin")
    list_filter = ("kind",)
    date_hierarchy = "at"
    search_fields = ("object", "actor")
    show_full_result_count = False

    @admin.display(description=_("what"))
    def what(self, event: AuditEvent) -> str:
        return gettext(audit.TITLES[Kind(event.kind)])

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        hyphenless = Replace(Cast("pseudonym", CharField()), Value("-"), Value(""))
        names = Account.objects.annotate(hex=hyphenless).filter(hex=OuterRef("actor")).values("username")
        found: QuerySet[AuditEvent] = super().get_queryset(request)
        return found.annotate(actor_name=Subquery(names[:1]))

    @admin.display(description=_("who"))
    def who(self, event: AuditEvent) -> str:
        return getattr(event, "actor_name", None) or event.actor


@admin.register(OutboxMail, site=site)
class OutboxMailAdmin(ReadOnly):
    list_display = ("created", "subject", "recipients", "attempts", "due", "sent", "error")
    exclude = ("message",)
