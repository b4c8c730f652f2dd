"""`/api/`: what the data APIs are, and a form to try every operation of their OpenAPI document."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from mainzdigital.web import shell

DOCUMENT = "/api/openapi.json"


@require_safe
def api(request: HttpRequest) -> HttpResponse:
    origin = shell.current().origin or f"{request.scheme}://{request.get_host()}"
    return render(
        request, "web/api.html",
        {
            "crumbs": [(_("Interfaces"), "")], "document": DOCUMENT, "origin": origin, "words": words(),
            "first_call": f"curl '{origin}/sensorthings/v1.1/Things?$top=1&$expand=Datastreams'",
        },
    )  # fmt: skip


def words() -> dict[str, str]:
    """What the script of this page says."""
    return {
        "loading": _("The operations are being loaded."),
        "failed": _("The description of the interfaces could not be loaded. Please load this page again."),
        "required": _("required"),
        "none": _("not given"),
        "for_example": _("For example"),
        "missing": _("Please fill in:"),
        "sending": _("The request is on its way."),
        "answered": _("Answer: status {status} after {time} ms, {size}."),
        "unreachable": _("No answer: the server cannot be reached."),
        "stopped": _("Stopped. What had come until then stands below."),
        "empty": _("The answer has no body."),
        "cut": _("Only the beginning is shown: the answer is long."),
        "key": _("your key"),
        "bytes": _("{count} bytes"),
    }
