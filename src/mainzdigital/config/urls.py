"""The portal's addresses; modules bring their own."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("", include("mainzdigital.web.urls"))]
handler400 = "mainzdigital.web.errors.bad_request"
handler403 = "mainzdigital.web.errors.permission_denied"
handler404 = "mainzdigital.web.errors.not_found"
handler500 = "mainzdigital.web.errors.server_error"
