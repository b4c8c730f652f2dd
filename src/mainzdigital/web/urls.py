from django.urls import URLPattern, path
from django.views.i18n import set_language

from mainzdigital.web.views import api, looks, maps, start, stations, thing

app_name = "web"
urlpatterns: list[URLPattern] = [
    path("", start.start, name="start"),
    path("karte/", maps.city_map, name="map"),
    path("karte/daten.json", maps.data, name="map-data"),
    path("api/", api.api, name="api"),
    path("messstellen/", stations.stations, name="things"),
    path("messstellen.csv", stations.export, name="export"),
    path("messstellen/<int:identifier>/", thing.thing, name="thing"),
    path("stil.css", looks.style, name="style"),
    path("sprache/", set_language, name="language"),
    path("darstellung/", looks.theme, name="theme"),
    path("gestaltung/", looks.style_page, name="style-page"),
]
