"""Forms in the portal's markup, with an error summary on top; allauth's forms take the same way."""

from django import template
from django.forms import BaseForm, BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect

register = template.Library()


@register.inclusion_tag("identity/fields.html")
def form_fields(form: BaseForm) -> dict[str, object]:
    return {"form": form}


@register.filter
def kind(field: BoundField) -> str:
    """check | choices | input"""
    widget = field.field.widget
    if isinstance(widget, CheckboxInput):
        return "check"
    return "choices" if isinstance(widget, RadioSelect | CheckboxSelectMultiple) else "input"
