"""The context processor of the frame: city, menu, language, colours, account links."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from mainzdigital.kernel.modules import Link
from mainzdigital.web import shell

THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class MenuEntry:
    title: str
    url: str
    here: bool


def _may_see(request: HttpRequest, link: Link) -> bool:
    if not link.permission:
        return True
    user = getattr(request, "user", None)
    return bool(user is not None and user.has_perm(link.permission))


def menu(request: HttpRequest, area: str) -> list[MenuEntry]:
    """The entries of an area this person may see."""
    entries = []
    for link in shell.links(area):
        if _may_see(request, link):
            url = reverse(link.url_name)
            entries.append(MenuEntry(gettext(link.title), url, request.path.startswith(url)))
    return entries


def _address(name: str) -> str:
    """The address of a page that another app may bring; empty where it is not installed."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def frame(request: HttpRequest) -> dict[str, object]:
    """Everything base.html asks for."""
    theme = request.COOKIES.get("theme", "")
    return {
        "shell": shell.current(),
        "main_menu": menu(request, "main"),
        "staff_menu": menu(request, "staff"),
        "account_menu": menu(request, "account"),
        "footer_menu": menu(request, "footer"),
        "theme": theme if theme in THEMES else "",
        "sign_in_url": _address("account_login"),
        "sign_out_url": _address("account_logout"),
    }
