"""Where a request comes from, and how much of that we keep."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The caller's address. Each proxy of ours appends to X-Forwarded-For; what stands further left is hearsay."""
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    given = hops[max(0, len(hops) - settings.TRUSTED_PROXIES)] if hops else str(request.META.get("REMOTE_ADDR", ""))
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        return "127.0.0.1"  # a Unix socket has no address


def shortened(address: str) -> str:
    """The network a caller comes from (IPv4 /24, IPv6 /48): enough to see an attack, too little to see a person."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    length = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{parsed}/{length}", strict=False).network_address)
