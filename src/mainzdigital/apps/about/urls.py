from django.urls import path

from mainzdigital.apps.about import views

app_name = "about"
path_prefix = ""  # these pages have addresses that people expect at the root
urlpatterns = [
    path("ueber/", views.about, name="about"),
    path("impressum/", views.imprint, name="imprint"),
    path("datenschutz/", views.privacy, name="privacy"),
    path("barrierefreiheit/", views.accessibility, name="accessibility"),
    path("barrierefreiheit/rueckmeldung/", views.feedback, name="feedback"),
    path("barrierefreiheit/danke/", views.thanks, name="thanks"),
    path("barrierefreiheit/eingang/", views.feedback_list, name="feedback_list"),
    path("barrierefreiheit/eingang/<int:feedback_id>/beantwortet/", views.feedback_answered, name="feedback_answered"),
]
