"""Forms in the markup of KERN UX, with an error summary on top; allauth's forms take the same way."""

from django import template
from django.forms import BaseForm, BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select, Widget
from django.utils.safestring import SafeString

register = template.Library()


def _is_choice(widget: Widget) -> bool:
    return isinstance(widget, RadioSelect | CheckboxSelectMultiple)


@register.inclusion_tag("identity/fields.html")
def form_fields(form: BaseForm) -> dict[str, object]:
    return {"form": form}


@register.filter
def kern(field: BoundField) -> SafeString:
    """The control of a field with KERN's class."""
    widget = field.field.widget
    if isinstance(widget, CheckboxInput):
        name = "kern-form-check__checkbox"
    elif isinstance(widget, Select) and not _is_choice(widget):
        name = "kern-form-input__select"
    elif _is_choice(widget):
        name = ""
    else:
        name = "kern-form-input__input"
    if field.errors and name:
        name += f" {name}--error"
    return field.as_widget(attrs={"class": name} if name else None)


@register.filter
def kind(field: BoundField) -> str:
    """check | select | choices | input"""
    widget = field.field.widget
    if isinstance(widget, CheckboxInput):
        return "check"
    if _is_choice(widget):
        return "choices"
    return "select" if isinstance(widget, Select) else "input"
