"""Typed settings of one process, from the environment and city.toml. Every variable is described in ENVIRONMENT."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from mainzdigital.config import limits
from mainzdigital.config.city import City, load_city
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.serve.limits import Limits
from mainzdigital.serve.proxies import Proxies

ENVIRONMENT: dict[str, str] = {
    "MAINZDIGITAL_HOME": "folder of all state; default /var/lib/mainzdigital as root, else ~/.local/share/mainzdigital",
    "MAINZDIGITAL_DATABASE_URL": "a PostgreSQL server (15 or newer); without it the embedded one runs",
    "MAINZDIGITAL_HOST": "address to listen on; default 127.0.0.1",
    "MAINZDIGITAL_PORT": "public port; default 8000",
    "MAINZDIGITAL_ORIGIN": "public address as browsers see it, such as https://daten.example.org",
    "MAINZDIGITAL_CITY": "the city's file; default city.toml in the home folder, else the demo city Mainz",
    "MAINZDIGITAL_SECRET_KEY": "signs cookies; without it one is made in the home folder (mode 0600)",
    "MAINZDIGITAL_TRUSTED_PROXIES": "addresses or networks of reverse proxies whose X-Forwarded-For and -Proto count",
    "MAINZDIGITAL_OPEN_WRITE": "1: anyone may write without a key; set by `run --open-write`, loopback only",
    "MAINZDIGITAL_WEB_WORKERS": "processes that make pages, about 60 MB each; default 2",
    **limits.ENVIRONMENT,
    "MAINZDIGITAL_DEBUG": "1: development only",
}


@dataclass(frozen=True, slots=True)
class Settings:
    home: Path
    database_url: str
    host: str
    port: int
    origin: str
    city: City
    city_file: Path
    open_write: bool
    debug: bool
    secret_key: str
    trusted_proxies: Proxies = field(default_factory=Proxies)
    web_workers: int = 2
    limits: Limits = field(default_factory=Limits)

    @property
    def embedded(self) -> bool:
        return not self.database_url

    @property
    def dsn(self) -> str:
        """libpq connection string of the city's database."""
        if self.database_url:
            return self.database_url
        return f"host={self.socket_folder} port=5432 user=mainzdigital dbname=mainzdigital"

    @property
    def socket_folder(self) -> Path:
        """Folder of the Unix sockets; short, since a socket's path has at most 107 bytes."""
        folder = self.home / "run"
        if len(str(folder)) <= 80:
            return folder
        import hashlib

        return Path("/tmp") / f"mainzdigital-{os.getuid()}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"  # noqa: S108

    @property
    def web_socket(self) -> Path:
        return self.socket_folder / "web.sock"


def default_home() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/mainzdigital")
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "mainzdigital"


def _secret_key(environ: Mapping[str, str], home: Path) -> str:
    if given := environ.get("MAINZDIGITAL_SECRET_KEY"):
        if len(given) < 32:
            raise InvalidInput("MAINZDIGITAL_SECRET_KEY is shorter than 32 characters", where="MAINZDIGITAL_SECRET_KEY")
        return given
    file = home / "secret_key"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        # Two processes may come first at once: both make one, one of them is linked, both read that.
        made = home / f".secret_key-{os.getpid()}"
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(48) + "\n")
        with suppress(FileExistsError):
            os.link(made, file)
        made.unlink()
    key = file.read_text("ascii").strip()
    if len(key) < 32:
        raise InvalidInput(f"{file} holds no key", where=str(file), remedy="remove it; everybody signs in again")
    return key


def _origin(environ: Mapping[str, str], host: str, port: int) -> str:
    given = environ.get("MAINZDIGITAL_ORIGIN")
    if not given:
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return f"http://{shown}:{port}"
    try:
        parts = urlsplit(given.rstrip("/"))
        right = parts.scheme in {"http", "https"} and parts.hostname and not parts.path and not parts.query
        _ = parts.port
    except ValueError:
        right = False
    if not right:
        raise InvalidInput(
            f"MAINZDIGITAL_ORIGIN is '{given[:80]}'", where="MAINZDIGITAL_ORIGIN",
            remedy="write it like https://daten.example.org, without a path",
        )  # fmt: skip
    return given.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables; raises InvalidInput that names the variable and the remedy."""
    home = Path(environ.get("MAINZDIGITAL_HOME") or default_home()).expanduser().absolute()
    port = limits.number(environ, "MAINZDIGITAL_PORT", default=8000, least=1, most=65535)
    host = environ.get("MAINZDIGITAL_HOST") or "127.0.0.1"
    city_file = Path(environ.get("MAINZDIGITAL_CITY") or home / "city.toml")
    if not environ.get("MAINZDIGITAL_CITY") and not city_file.exists():
        city_file = Path(__file__).with_name("mainz.toml")
    open_write = environ.get("MAINZDIGITAL_OPEN_WRITE") == "1"
    if open_write and not is_loopback(host):
        raise InvalidInput(
            "an open city listens on this machine only", where="MAINZDIGITAL_HOST", remedy="unset MAINZDIGITAL_HOST"
        )
    return Settings(
        home=home,
        database_url=environ.get("MAINZDIGITAL_DATABASE_URL", ""),
        host=host,
        port=port,
        origin=_origin(environ, host, port),
        city=load_city(city_file),
        city_file=city_file,
        open_write=open_write,
        debug=environ.get("MAINZDIGITAL_DEBUG") == "1",
        secret_key=_secret_key(environ, home),
        trusted_proxies=Proxies(environ.get("MAINZDIGITAL_TRUSTED_PROXIES", "")),
        web_workers=limits.number(environ, "MAINZDIGITAL_WEB_WORKERS", default=2, least=1, most=64),
        limits=limits.load(environ),
    )


@cache
def settings() -> Settings:
    """The settings of this process."""
    return load_settings(os.environ)
