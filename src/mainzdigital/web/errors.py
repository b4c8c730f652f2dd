"""Error pages: each says what happened and what to do next, in the frame of the portal."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from mainzdigital.kernel.errors import CityError


def _words(status: int) -> tuple[str, str]:
    match status:
        case 400:
            return _("This address does not fit together"), _(
                "Something in the address or the form cannot be read. Nothing was changed."
            )
        case 401 | 403:
            return _("You may not see this page"), _(
                "It is open to certain people only. Sign in, or ask the office that is in charge of it."
            )
        case 404:
            return _("This page does not exist"), _(
                "Perhaps the address has a typing error, or what stood here is not public."
            )
        case 405:
            return _("This does not work in this way"), _(
                "Go back and use the button on the page. Nothing was changed."
            )
        case 410:
            return _("This page is gone"), _("What stood here was removed on purpose.")
        case 503:
            return _("We are not ready at the moment"), _("The city's database is starting or busy. Try again shortly.")
        case _:
            return _("Something went wrong here"), _(
                "The fault is ours and has been recorded. Nothing you sent was lost."
            )


def error_page(request: HttpRequest, status: int, detail: str = "") -> HttpResponse:
    """The page of a status, 400 to 503."""
    title, text = _words(status)
    ways = [(_("To the start page"), reverse("web:start")), (_("Measuring stations"), reverse("web:things"))]
    context = {"status": status, "title": title, "text": text, "detail": detail, "ways": ways}
    return render(request, "web/error.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return error_page(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_page(
        request,
        403,
        _("The form was open for too long, or cookies are switched off. Load the page again and resend it."),
    )


class CityErrors:
    """Middleware: a refusal of the core becomes its page, with what is wrong and the remedy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, CityError):
            return None
        detail = exception.message if exception.status in (400, 410, 422) else ""
        response = error_page(request, exception.status, detail)
        if exception.retry_after:
            response["Retry-After"] = str(exception.retry_after)
        return response
