"""Feedback on accessibility, as people sent it."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Feedback(models.Model):
    created = models.DateTimeField(_("received"), db_default=Now(), editable=False)
    page = models.CharField(_("page"), max_length=300, blank=True)
    message = models.TextField(_("message"))
    name = models.CharField(_("name"), max_length=150, blank=True)
    email = models.EmailField(_("email address"), blank=True)
    answered = models.DateTimeField(_("answered"), null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")

    def __str__(self) -> str:
        return self.message[:60]
