"""Who asked, when proxies stand before us: their word counts only if the operator named them."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from mainzdigital.kernel.errors import InvalidInput


class Proxies:
    """The proxies of `MAINZDIGITAL_TRUSTED_PROXIES`: addresses or networks, separated by commas."""

    def __init__(self, text: str = "") -> None:
        networks: list[IPv4Network | IPv6Network] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            try:
                networks.append(ip_network(part, strict=False))
            except ValueError:
                raise InvalidInput(
                    f"MAINZDIGITAL_TRUSTED_PROXIES: '{part}' is no network", where="MAINZDIGITAL_TRUSTED_PROXIES",
                    remedy="write it like 127.0.0.1 or 10.0.0.0/8",
                ) from None  # fmt: skip
        self._networks = tuple(networks)

    def trusts(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def client(self, peer: str, forwarded_for: Iterable[str]) -> str:
        """The nearest address that is not a trusted proxy: `peer`, or from the end of X-Forwarded-For."""
        if not self.trusts(peer):
            return peer
        hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
        nearest = peer
        for hop in reversed(hops):
            try:
                nearest = str(ip_address(hop))
            except ValueError:
                break
            if not self.trusts(nearest):
                break
        return nearest
