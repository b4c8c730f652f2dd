"""Middleware of identity: who acts, which language, and the cookie with which the portal's pages read the data APIs."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

from mainzdigital.identity import audit, tokens
from mainzdigital.identity.models import Account


def acting(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Entries of the audit log name the account and the network of the request; stands before every other of these."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with audit.acting(audit.REQUEST, request):
            return get_response(request)

    return middleware


def language(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """The account's language, unless this browser was told another; stands after authentication."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        chosen = settings.LANGUAGE_COOKIE_NAME in request.COOKIES
        if not chosen and request.user.is_authenticated and request.user.language in dict(settings.LANGUAGES):
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = request.user.language
        return get_response(request)

    return middleware


def portal_reader(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Give signed-in browsers the cookie `md_read`, renew it in its second half, take it away at sign-out."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        held = request.COOKIES.get(tokens.PORTAL_COOKIE, "")
        if request.user.is_authenticated:
            _renew(request.user, response, held)
        elif held:
            response.delete_cookie(tokens.PORTAL_COOKIE, samesite="Strict")
        return response

    return middleware


def _renew(account: Account, response: HttpResponseBase, held: str) -> None:
    now = timezone.now()
    subject, scope = account.subject, account.scope
    same = tokens.read_portal(settings.SECRET_KEY, held, now=now) == (subject, scope)
    left = tokens.portal_seconds_left(settings.SECRET_KEY, held, now=now)
    if not same or left < tokens.PORTAL_LIFE.total_seconds() / 2:
        response.set_cookie(
            tokens.PORTAL_COOKIE,
            tokens.sign_portal(settings.SECRET_KEY, subject, scope, now=now),
            max_age=tokens.PORTAL_LIFE,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )
