"""The portal's addresses. A module lies under its slug, unless its urls.py says otherwise by `path_prefix`."""

from importlib import import_module

from django.urls import URLPattern, URLResolver, include, path

from mainzdigital.config import registry
from mainzdigital.identity.administration import site

registry.collections()  # a fault in a module's register.py is told at start


def _module_urls() -> list[URLResolver]:
    found: list[URLResolver] = []
    for module in registry.modules():
        name = f"{registry.PACKAGE}.{module.slug}.urls"
        prefix = getattr(import_module(name), "path_prefix", f"{module.slug}/")
        found.append(path(prefix, include(name)))
    return found


urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("mainzdigital.web.urls")),
    *_module_urls(),
    path("konto/", include("allauth.urls")),
    path("verwaltung/", site.urls),
]
handler400 = "mainzdigital.web.errors.bad_request"
handler403 = "mainzdigital.web.errors.permission_denied"
handler404 = "mainzdigital.web.errors.not_found"
handler500 = "mainzdigital.web.errors.server_error"
