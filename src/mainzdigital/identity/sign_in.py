"""Asking for the password (or another proof) again before something grave."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, cast

from allauth.account.decorators import reauthentication_required
from django.http import HttpRequest, HttpResponse

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def recently_signed_in(view: View[P]) -> View[P]:
    """Only for those who proved who they are within the last minutes; others are asked, and come back."""
    return cast("View[P]", reauthentication_required(view))
