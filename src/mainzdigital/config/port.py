"""The public port: free or not, and who has it."""

import errno
import socket
from contextlib import suppress

import psutil

from mainzdigital.config.exits import Misplaced, explain


def require_free(host: str, port: int) -> None:
    """Refuse an address that is taken, forbidden or not of this machine; raises Misplaced.

    Asked before the server binds, because it binds with SO_REUSEPORT and would share the port silently.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise Misplaced(
            f"the address '{host}' is not known", where="MAINZDIGITAL_HOST", remedy="use an address of this machine"
        ) from None
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Misplaced(
                    f"port {port} is taken{_taken_by(port)}", where="MAINZDIGITAL_PORT",
                    remedy="stop that program or choose another port in MAINZDIGITAL_PORT",
                ) from None  # fmt: skip
            if error.errno == errno.EADDRNOTAVAIL:
                raise Misplaced(
                    f"the address {host} is not of this machine", where="MAINZDIGITAL_HOST", remedy="correct it"
                ) from None
            if error.errno in {errno.EACCES, errno.EPERM}:
                raise Misplaced(
                    f"this user may not listen on port {port}", where="MAINZDIGITAL_PORT", remedy="use 1024 or above"
                ) from None
            raise explain(error) or Misplaced(f"{host}:{port}: {error}") from error


def _taken_by(port: int) -> str:
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""
