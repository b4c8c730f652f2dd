"""The `web` process: Django, reached over the Unix socket of the relay only."""

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mainzdigital.config.django")

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from mainzdigital.kernel.errors import CityError

_django = get_wsgi_application()
_logger = logging.getLogger(__name__)

# Pages that cannot be built stop the start instead of the first visitor.
_ = get_resolver().url_patterns

_FAULT = (
    '<!doctype html><html lang="de"><meta charset="utf-8"><title>Fehler</title><h1>Das hat nicht funktioniert</h1>'
    "<p>Der Fehler liegt bei uns und ist vermerkt. Bitte versuchen Sie es später noch einmal.</p></html>"
).encode()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django with the address that the relay vouches for; `/.alive` tells the supervisor that pages are served."""
    if environ["PATH_INFO"] == "/.alive":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]
    environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", "")
    environ["HTTP_HOST"] = environ.get("HTTP_X_FORWARDED_HOST", environ.get("HTTP_HOST", ""))
    try:
        return _django(environ, start_response)
    except CityError as error:  # even the error page cannot be made, as without the front end
        _logger.error("%s cannot be shown: %s; %s", environ["PATH_INFO"], error.message, error.remedy)
    except Exception:
        _logger.exception("fault in %s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(_FAULT)))]
    start_response("500 Internal Server Error", headers)
    return [_FAULT]
