"""From the person behind a request to the reader of the data core."""

from django.http import HttpRequest

from mainzdigital.kernel.access import Reader
from mainzdigital.web import shell


def reader_of(request: HttpRequest) -> Reader:
    """Who reads; the mapping from account to reader is registered by config (identity.roles)."""
    return shell.current().reader(request)
