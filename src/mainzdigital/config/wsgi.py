"""The `web` process: Django, reached over the Unix socket of the relay only."""

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mainzdigital.config.django")

from django.core.wsgi import get_wsgi_application

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django with the address that the relay vouches for; `/.alive` tells the supervisor that pages are served."""
    if environ["PATH_INFO"] == "/.alive":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]
    environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", "")
    environ["HTTP_HOST"] = environ.get("HTTP_X_FORWARDED_HOST", environ.get("HTTP_HOST", ""))
    return _django(environ, start_response)
