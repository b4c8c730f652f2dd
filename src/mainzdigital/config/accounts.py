"""The operator's choices about accounts, from the environment: sign-up, second factor, mail, OpenID Connect."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from mainzdigital.kernel.errors import InvalidInput

ENVIRONMENT: dict[str, str] = {
    "MAINZDIGITAL_SIGN_UP": "1 (default): anyone may open an account; 0: only the administration does",
    "MAINZDIGITAL_STAFF_TWO_FACTOR": "1 (default): the administration asks for a second factor; 0: demo, classroom",
    "MAINZDIGITAL_MAIL": "smtp://user:password@host:587 (STARTTLS), smtps://…:465, file: (home/outbox) or console:",
    "MAINZDIGITAL_OIDC": "names of OpenID Connect providers, such as 'bundid stadt'; for each NAME:",
    "MAINZDIGITAL_OIDC_<NAME>_URL": "the provider's address, where /.well-known/openid-configuration lies",
    "MAINZDIGITAL_OIDC_<NAME>_CLIENT": "client id",
    "MAINZDIGITAL_OIDC_<NAME>_SECRET": "client secret",
    "MAINZDIGITAL_OIDC_<NAME>_TITLE": "what the button says; default the name",
    "MAINZDIGITAL_OIDC_<NAME>_TRUST": "levels of trust by the claim acr: 'urn:x:hoch=high urn:x:normal=low'",
}
LEVELS = ("low", "substantial", "high")


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID Connect provider; `trust` maps values of the claim `acr` to levels of trust (eIDAS)."""

    name: str
    url: str
    client: str
    secret: str = field(repr=False)
    title: str
    trust: Mapping[str, str]

    def app(self) -> dict[str, object]:
        """In the form allauth takes."""
        return {
            "provider_id": self.name,
            "name": self.title,
            "client_id": self.client,
            "secret": self.secret,
            "settings": {"server_url": self.url, "trust": dict(self.trust)},
        }


@dataclass(frozen=True, slots=True)
class Mail:
    backend: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = False
    tls: bool = False


@dataclass(frozen=True, slots=True)
class AccountSettings:
    sign_up: bool
    staff_two_factor: bool
    mail: Mail
    providers: tuple[Provider, ...]


def account_settings(environ: Mapping[str, str] = os.environ) -> AccountSettings:
    """Read and check; raises InvalidInput that names the variable."""
    return AccountSettings(
        sign_up=_flag(environ, "MAINZDIGITAL_SIGN_UP", default=True),
        staff_two_factor=_flag(environ, "MAINZDIGITAL_STAFF_TWO_FACTOR", default=True),
        mail=_mail(environ.get("MAINZDIGITAL_MAIL") or "console:"),
        providers=tuple(_provider(environ, name) for name in environ.get("MAINZDIGITAL_OIDC", "").split()),
    )


def _flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environ.get(name) or str(int(default))
    if value not in ("0", "1"):
        raise InvalidInput(f"{name} is '{value}'", where=name, remedy="use 0 or 1")
    return value == "1"


def _mail(text: str) -> Mail:
    name = "MAINZDIGITAL_MAIL"
    if text in ("console:", "file:"):
        kind = "console" if text == "console:" else "filebased"
        return Mail(f"django.core.mail.backends.{kind}.EmailBackend")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise InvalidInput(f"{name} is no address of a mail server", where=name, remedy=ENVIRONMENT[name])
    tls = parts.scheme == "smtps"
    return Mail(
        "django.core.mail.backends.smtp.EmailBackend",
        host=parts.hostname,
        port=port or (465 if tls else 587),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=not tls and port != 25,
        tls=tls,
    )


def _provider(environ: Mapping[str, str], name: str) -> Provider:
    if not re.fullmatch(r"[a-z][a-z0-9]{0,30}", name):
        raise InvalidInput(
            f"'{name}' is no name of a provider",
            where="MAINZDIGITAL_OIDC",
            remedy="use a-z and 0-9, beginning with a-z",
        )
    prefix = f"MAINZDIGITAL_OIDC_{name.upper()}_"
    values = {key: environ.get(prefix + key, "") for key in ("URL", "CLIENT", "SECRET", "TITLE", "TRUST")}
    for key in ("URL", "CLIENT", "SECRET"):
        if not values[key]:
            raise InvalidInput(f"{prefix}{key} is missing", where=prefix + key, remedy="set it, or remove the provider")
    trust: dict[str, str] = {}
    for pair in values["TRUST"].split():
        acr, _, level = pair.rpartition("=")
        if not acr or level not in LEVELS:
            raise InvalidInput(
                f"'{pair}' maps no acr to a level", where=prefix + "TRUST", remedy=f"write acr=level with {LEVELS}"
            )
        trust[acr] = level
    return Provider(name, values["URL"], values["CLIENT"], values["SECRET"], values["TITLE"] or name, trust)
