"""Texts that modules declare as gettext message ids, in the reader's language."""

from django import template
from django.utils.translation import gettext

from mainzdigital.identity.roles import ROLES

register = template.Library()


@register.filter
def module_text(message_id: str) -> str:
    return gettext(message_id) if message_id else ""


@register.filter
def role_title(name: str) -> str:
    return gettext(ROLES[name].title) if name in ROLES else name
