"""Response headers of every portal page: nothing from elsewhere, nothing inline, no framing by others."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from mainzdigital.web import shell

# `data:` images are the masks of KERN's check marks and arrows; `blob:` images and workers are made by MapLibre itself.
_POLICY: dict[str, str] = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "worker-src": "'self'",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def content_policy(map_style: str) -> str:
    """The Content-Security-Policy; the host of a map style that the operator named is let in for data and pictures."""
    policy = dict(_POLICY)
    if map_style:
        parts = urlsplit(map_style)
        if parts.scheme and parts.netloc:
            host = f"{parts.scheme}://{parts.netloc}"
            policy["connect-src"] += f" {host}"
            policy["img-src"] += f" {host}"
    return "; ".join(f"{name} {value}" for name, value in policy.items())


class SecurityHeaders:
    """Middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        headers = response.headers
        headers.setdefault("Content-Security-Policy", content_policy(shell.current().map_style))
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(self), microphone=()")
        return response
