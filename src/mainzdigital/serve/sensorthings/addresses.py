"""Addresses of this service's resources as clients write them: absolute, by path, or relative."""

from urllib.parse import parse_qsl, quote, urljoin, urlsplit

from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.serve.http import decode_path

_SAFE = "%/:@!$&'()*+,;=~-._?"


def below(url: str, root: str, *, host: str = "", base: str = "") -> tuple[str, str]:
    """(decoded path below the service root, query as sent) of an address.

    `root` is the service root, `host` the Host the client called it by, `base` the path that `./` and `../` start from.
    Taken are absolute addresses, paths from the host (`/sensorthings/v1.1/Things`, and `/v1.1/Things` as the standard
    writes them) and paths relative to the service root. Raises InvalidInput for an address of something else.
    """
    service = urlsplit(root)
    try:
        parts = urlsplit(url.strip())
        if base and url.strip().startswith("."):
            parts = urlsplit(urljoin(f"{root}/{base}", url.strip()))
    except ValueError:
        raise _elsewhere(url, root) from None
    hosts = {service.netloc.lower(), host.lower()}
    if (parts.scheme or parts.netloc) and (
        parts.scheme.lower() not in {"http", "https"} or parts.netloc.lower() not in hosts
    ):
        raise _elsewhere(url, root)
    path = parts.path
    if path.startswith("/"):
        version = service.path[service.path.rindex("/") :]
        for prefix in (service.path, version):
            if path == prefix or path.startswith(prefix + "/"):
                path = path[len(prefix) :]
                break
        else:
            raise _elsewhere(url, root)
    # A $ in the path is no query; what is no ASCII was meant percent-encoded.
    return decode_path(quote(path, safe=_SAFE).encode("ascii")).strip("/"), quote(parts.query, safe=_SAFE + "<>\"' ")


def option(query: str, name: str) -> str:
    """The value of an option in a query as sent, empty where it is not given; raises InvalidInput for any other one."""
    given = parse_qsl(query, keep_blank_values=True)
    for key, _ in given:
        if key != name:
            raise InvalidInput(f"'{key[:80]}' does not apply here", where=key[:80], remedy=f"send {name} alone")
    return given[0][1] if given else ""


def _elsewhere(url: str, root: str) -> InvalidInput:
    return InvalidInput(
        f"'{url[:200]}' is no address of this service", where="url",
        remedy=f"write it relative to {root}/, like Things(1)",
    )  # fmt: skip
