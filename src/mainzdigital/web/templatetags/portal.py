"""Tags and filters of the portal's templates."""

import json
from datetime import datetime

from django import template
from django.templatetags.static import static
from django.urls import reverse
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
register.filter("state_title", wording.state_title)


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
    if "seite" not in changes:
        query.pop("seite", None)
    for key, value in changes.items():
        if value in (None, ""):
            query.pop(key, None)
        else:
            query[key] = str(value)
    text = query.urlencode()
    return f"?{text}" if text else context["request"].path


@register.simple_tag(takes_context=True)
def without(context: template.Context, key: str, value: str) -> str:
    """The present address without one value of a key that may stand several times."""
    query = context["request"].GET.copy()
    query.pop("seite", None)
    query.setlist(key, [item for item in query.getlist(key) if item.strip() != value])
    text = query.urlencode()
    return f"?{text}" if text else context["request"].path


@register.filter
def kind_title(key: str) -> str:
    return str(kinds.kind(key).title)


@register.filter
def shown(value: object) -> str:
    """A measured value: numbers as this language writes them, yes or no, else the text."""
    return wording.shown(value)


@register.simple_tag
def point(x: float, y: float, kind: str, identifier: int, name: str) -> SafeString:
    """A thing on a drawn map, linked; its name is its title. Keyboards take the list beside the map."""
    found = kinds.kind(kind)
    return format_html(
        '<a href="{}" tabindex="-1"><path class="point kind-{}" transform="translate({} {})" d="{}"/>'
        "<title>{}</title></a>",
        reverse("web:thing", args=[identifier]), found.colour, round(x - 8, 1), round(y - 8, 1), found.shape, name,
    )  # fmt: skip
