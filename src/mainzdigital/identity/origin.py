"""Where a request comes from, and how much of that we keep."""

import ipaddress

from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The caller's address, which the relay of the api process vouches for (config/wsgi.py)."""
    try:
        return str(ipaddress.ip_address(str(request.META.get("REMOTE_ADDR", ""))))
    except ValueError:
        return "127.0.0.1"  # a Unix socket has no address


def shortened(address: str) -> str:
    """The network a caller comes from (IPv4 /24, IPv6 /48): enough to see an attack, too little to see a person."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    length = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{parsed}/{length}", strict=False).network_address)
