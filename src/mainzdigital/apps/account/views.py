"""Pages of one's own account. What a page touches is looked up among the account's own rows: others' are 404."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mainzdigital.apps.account import queries, services
from mainzdigital.apps.account.forms import DelegationForm, EraseForm, KeyForm, MyDataForm, day_end, day_start
from mainzdigital.identity import personal
from mainzdigital.identity import services as identity
from mainzdigital.identity.models import Account
from mainzdigital.identity.sign_in import recently_signed_in
from mainzdigital.kernel.access import Scope
from mainzdigital.kernel.errors import CityError

_form_page = require_http_methods(["GET", "HEAD", "POST"])


def _account(request: HttpRequest) -> Account:
    assert isinstance(request.user, Account)
    return request.user


def _refuse(form: Form, error: CityError) -> None:
    form.add_error(error.where if error.where in form.fields else None, error.message)


@login_required
@_form_page
def overview(request: HttpRequest) -> HttpResponse:
    account = _account(request)
    initial = {"display_name": account.display_name, "language": account.language}
    form = MyDataForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        services.change_my_data(account=account, **form.cleaned_data)
        if account.language:
            translation.activate(account.language)
        messages.success(request, _("Saved."))
        response = redirect("account:overview")
        if account.language:
            response.set_cookie(settings.LANGUAGE_COOKIE_NAME, account.language, samesite="Lax", httponly=True)
        else:
            response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
        return response
    roles = queries.effective_roles(account)
    return _render(request, "my/overview.html", {"form": form, "roles": roles})


def _render(request: HttpRequest, name: str, context: dict[str, object]) -> HttpResponse:
    form = context.get("form")
    wrong = isinstance(form, Form) and form.is_bound and not form.is_valid()
    return render(request, name, context, status=422 if wrong else 200)


@login_required
@require_GET
def keys(request: HttpRequest) -> HttpResponse:
    account = _account(request)
    context = {"keys": queries.keys_of(account), "may_create": bool(queries.scopes_for(account))}
    return _render(request, "my/keys.html", context)


@login_required
@recently_signed_in
@never_cache
@_form_page
def key_new(request: HttpRequest) -> HttpResponse:
    account = _account(request)
    form = KeyForm(request.POST or None, account=account)
    if request.method == "POST" and form.is_valid():
        expires = form.cleaned_data["expires"]
        try:
            plain, key = identity.create_key(
                name=form.cleaned_data["name"],
                scope=Scope(form.cleaned_data["scope"]),
                owner=account,
                expires=day_end(expires) if expires else None,
            )
        except CityError as error:
            _refuse(form, error)
        else:
            return render(request, "my/key_created.html", {"plain": plain, "key": key})
    return _render(request, "my/key_new.html", {"form": form, "may_create": bool(queries.scopes_for(account))})


@login_required
@require_POST
def key_revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    identity.revoke_key(key=get_object_or_404(queries.keys_of(_account(request)), pk=key_id))
    messages.success(request, _("The key is revoked."))
    return redirect("account:keys")


@login_required
@require_GET
def delegations(request: HttpRequest) -> HttpResponse:
    account = _account(request)
    context = {
        "delegations": queries.delegations_of(account),
        "in_force": queries.in_force(account),
        "may_lend": bool(queries.lendable_roles(account)),
    }
    return _render(request, "my/delegations.html", context)


@login_required
@_form_page
def delegation_new(request: HttpRequest) -> HttpResponse:
    account = _account(request)
    form = DelegationForm(request.POST or None, account=account)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            identity.delegate(
                lender=account,
                borrower=queries.account_named(data["borrower"]),
                role=data["role"],
                starts=day_start(data["starts"]),
                ends=day_end(data["ends"]),
                reason=data["reason"],
            )
        except CityError as error:
            _refuse(form, error)
        else:
            messages.success(request, _("The role is delegated."))
            return redirect("account:delegations")
    return _render(request, "my/delegation_new.html", {"form": form})


@login_required
@require_POST
def delegation_revoke(request: HttpRequest, delegation_id: int) -> HttpResponse:
    mine = queries.delegations_of(_account(request))  # either side may end it
    identity.revoke_delegation(delegation=get_object_or_404(mine, pk=delegation_id))
    messages.success(request, _("The delegation has ended."))
    return redirect("account:delegations")


@login_required
@require_GET
def privacy(request: HttpRequest) -> HttpResponse:
    return _render(request, "my/privacy.html", {})


@login_required
@recently_signed_in
@never_cache
@_form_page
def export(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return redirect("account:privacy")  # where re-authentication leads back to
    content = personal.export(account=_account(request))
    headers = {"Content-Disposition": 'attachment; filename="mainzdigital-account.zip"'}
    return HttpResponse(content, content_type="application/zip", headers=headers)


@login_required
@recently_signed_in
@_form_page
def erase(request: HttpRequest) -> HttpResponse:
    account = _account(request)
    form = EraseForm(request.POST or None, account=account)
    if request.method == "POST" and form.is_valid():
        try:
            personal.erase(account=account)
        except CityError as error:
            _refuse(form, error)
        else:
            logout(request)
            return render(request, "my/erased.html")
    return _render(request, "my/erase.html", {"form": form})
