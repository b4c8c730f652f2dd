from django.urls import path

from mainzdigital.apps.account import views

app_name = "account"
path_prefix = "konto/"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("schluessel/", views.keys, name="keys"),
    path("schluessel/neu/", views.key_new, name="key_new"),
    path("schluessel/<int:key_id>/widerrufen/", views.key_revoke, name="key_revoke"),
    path("vertretungen/", views.delegations, name="delegations"),
    path("vertretungen/neu/", views.delegation_new, name="delegation_new"),
    path("vertretungen/<int:delegation_id>/beenden/", views.delegation_revoke, name="delegation_revoke"),
    path("daten/", views.privacy, name="privacy"),
    path("daten/herunterladen/", views.export, name="export"),
    path("daten/loeschen/", views.erase, name="erase"),
]
