"""The page of a thing."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.urls import reverse
from django.views.decorators.http import require_safe

from mainzdigital.exchange import things
from mainzdigital.web import cartography
from mainzdigital.web.connection import core
from mainzdigital.web.reader import reader_of


@require_safe
def thing(request: HttpRequest, identifier: int) -> HttpResponse:
    found = things.detail(core(), reader=reader_of(request), identifier=identifier)
    return render(request, "web/thing.html", {"thing": found, "crumbs": [(_("Measuring stations"), reverse("web:things")), (found.name, "")]})
