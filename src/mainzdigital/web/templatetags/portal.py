"""Tags and filters of the portal's templates."""

import json
from datetime import datetime

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from mainzdigital.web import assets, kinds, wording
from mainzdigital.web.icons import ICONS

register = template.Library()

register.filter("number", wording.number)
register.filter("day", wording.day)
register.filter("clock", wording.clock)
register.filter("instant", wording.instant)
register.filter("instant_with_zone", wording.instant_with_zone)
register.filter("ago", wording.ago)
register.filter("percent", wording.percent)


@register.filter
def iso(value: datetime) -> str:
    """For `<time datetime>`."""
    return value.isoformat()


@register.filter
def as_json(value: object) -> str:
    """For a `data-` attribute; the template escapes it."""
    return json.dumps(value, ensure_ascii=False)


@register.simple_tag
def icon(name: str) -> SafeString:
    """A line icon; decorative, since the words beside it say the same."""
    return format_html(
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="{}"/></svg>', ICONS[name]
    )


@register.simple_tag
def sign(kind: str) -> SafeString:
    """The sign of a kind of thing on map and list: its own shape and its own colour."""
    found = kinds.kind(kind)
    return format_html(
        '<svg class="sign kind-{}" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="{}"/></svg>',
        found.colour, found.shape,
    )  # fmt: skip


@register.simple_tag
def entry_styles(name: str) -> SafeString:
    """The style sheets of a front-end entry."""
    return mark_safe(  # noqa: S308 - built of escaped parts
        "".join(format_html('<link rel="stylesheet" href="{}">', static(path)) for path in assets.entry(name).styles)
    )


@register.simple_tag
def entry_script(name: str) -> SafeString:
    """The script of a front-end entry, a module: it runs when the page is read."""
    return format_html('<script type="module" src="{}"></script>', static(assets.entry(name).script))


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changes: object) -> str:
    """The present address with other query values; an empty value removes its key, a change leaves the page number."""
    query = context["request"].GET.copy()
    if "page" not in changes:
        query.pop("page", None)
    for key, value in changes.items():
        if value in (None, ""):
            query.pop(key, None)
        else:
            query[key] = str(value)
    text = query.urlencode()
    return f"?{text}" if text else context["request"].path
