"""The city's colours, the choice of light or dark, and the living style page."""

import re

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST

from mainzdigital.web import samples, shell
from mainzdigital.web.context import THEMES

_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}")
_ONE_YEAR = 365 * 24 * 3600


@require_GET
@cache_control(max_age=86400, public=True)
def style(_request: HttpRequest) -> HttpResponse:
    """`/stil.css`: the colours of city.toml as custom properties, so that no style stands inside a page."""
    frame = shell.current()
    lines = [
        f"--{name}: {colour};"
        for name, colour in (("city-accent", frame.accent), ("city-accent-dark", frame.accent_dark))
        if _COLOUR.fullmatch(colour)
    ]
    return HttpResponse(":root {\n  " + "\n  ".join(lines) + "\n}\n", content_type="text/css; charset=utf-8")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light or dark in a cookie; anything else goes back to what the device says."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
        target = reverse("web:start")
    response = HttpResponseRedirect(target)
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=_ONE_YEAR, samesite="Lax", secure=request.is_secure())
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response


@require_GET
def style_page(request: HttpRequest) -> HttpResponse:
    """`/gestaltung/`: every component in every state."""
    return render(request, "web/style_page.html", samples.everything())
