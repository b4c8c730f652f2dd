"""From the person behind a portal request to the reader of the data core."""

from django.http import HttpRequest

from mainzdigital.kernel.access import ANONYMOUS, Reader, reader_for


def request_reader(request: HttpRequest) -> Reader:
    """What the signed-in account may see; anonymous sees what is open."""
    user = request.user
    return reader_for(user.subject, user.scope) if user.is_authenticated else ANONYMOUS
