from django.urls import URLPattern, path
from django.views.i18n import set_language

from mainzdigital.web.views import looks

app_name = "web"
urlpatterns: list[URLPattern] = [
    path("stil.css", looks.style, name="style"),
    path("sprache/", set_language, name="language"),
    path("darstellung/", looks.theme, name="theme"),
    path("gestaltung/", looks.style_page, name="style-page"),
]
