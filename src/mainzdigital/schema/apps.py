from django.apps import AppConfig


class SchemaConfig(AppConfig):
    name = "mainzdigital.schema"
    label = "schema"
    default_auto_field = "django.db.models.AutoField"
