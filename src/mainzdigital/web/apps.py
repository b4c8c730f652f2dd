from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "mainzdigital.web"
    label = "web"
