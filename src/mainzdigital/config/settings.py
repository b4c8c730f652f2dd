"""Typed settings of one process, from the environment and city.toml. Every variable is described in ENVIRONMENT."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mainzdigital.config.city import City, load_city
from mainzdigital.kernel.errors import InvalidInput

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
    trusted_proxies: str = ""

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
    try:
        return file.read_text("ascii").strip()
    except FileNotFoundError:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(48) + "\n")
        return file.read_text("ascii").strip()


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables; raises InvalidInput that names the variable and the remedy."""
    home = Path(environ.get("MAINZDIGITAL_HOME") or default_home()).expanduser().absolute()
    try:
        port = int(environ.get("MAINZDIGITAL_PORT") or 8000)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise InvalidInput("MAINZDIGITAL_PORT is not a port", where="MAINZDIGITAL_PORT", remedy="use 1 to 65535")
    host = environ.get("MAINZDIGITAL_HOST") or "127.0.0.1"
    city_file = Path(environ.get("MAINZDIGITAL_CITY") or home / "city.toml")
    if not environ.get("MAINZDIGITAL_CITY") and not city_file.exists():
        city_file = Path(__file__).with_name("mainz.toml")
    return Settings(
        home=home,
        database_url=environ.get("MAINZDIGITAL_DATABASE_URL", ""),
        host=host,
        port=port,
        origin=(environ.get("MAINZDIGITAL_ORIGIN") or f"http://{host}:{port}").rstrip("/"),
        city=load_city(city_file),
        city_file=city_file,
        open_write=environ.get("MAINZDIGITAL_OPEN_WRITE") == "1",
        debug=environ.get("MAINZDIGITAL_DEBUG") == "1",
        secret_key=_secret_key(environ, home),
        trusted_proxies=environ.get("MAINZDIGITAL_TRUSTED_PROXIES", ""),
    )


@cache
def settings() -> Settings:
    """The settings of this process."""
    return load_settings(os.environ)
