from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IdentityConfig(AppConfig):
    name = "mainzdigital.identity"
    label = "identity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mainzdigital.identity import receivers

        receivers.connect()
        post_migrate.connect(receivers.sync_after_migrate, sender=self, dispatch_uid="identity.roles")
