"""Where allauth asks us: who may sign up, where a request comes from, how secrets are kept, whom we trust."""

import base64
import hashlib
import time
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import Fernet
from django.conf import settings
from django.http import HttpRequest

from mainzdigital.identity.models import Account, Trust
from mainzdigital.identity.origin import client_address

TRUST_SESSION = "trust_level"


def display(account: Account) -> str:
    return account.get_full_name()


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.ACCOUNT_SIGN_UP_OPEN)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Signing in counts as proof for a while, like giving the password again."""
        if not super().is_reauthentication_required(app=app):
            return False
        limit = time.time() - app_settings.REAUTHENTICATION_TIMEOUT
        return not any(record["at"] > limit for record in get_authentication_records(self.request, self.request.user))

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Seeds of second factors are encrypted: a copy of the database alone opens no account."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> Fernet:
    key = hashlib.sha256(b"mainzdigital.second-factor\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


class ConnectionAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Sign-in by OpenID Connect. An account is never taken over because an address is equal (settings, J26)."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return bool(settings.ACCOUNT_SIGN_UP_OPEN)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Account:
        account: Account = super().populate_user(request, sociallogin, data)
        account.display_name = str(data.get("name") or "")[:150]
        account.trust_level = trust_of(sociallogin)
        return account

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """The session knows how surely this sign-in identified the person; the account keeps the surest so far."""
        level = trust_of(sociallogin)
        request.session[TRUST_SESSION] = level
        known = Account.objects.filter(pk=sociallogin.user.pk).first() if sociallogin.is_existing else None
        if known is not None and _rank(level) > _rank(known.trust_level):
            known.trust_level = level
            known.save(update_fields=["trust_level"])


def trust_of(sociallogin: Any) -> str:
    """Level of trust of the claim `acr` as the operator mapped it; an unknown value is no trust.

    The ID token alone counts, which the provider signs (OpenID Connect Core 1.0, section 2).
    """
    token = (sociallogin.account.extra_data or {}).get("id_token") or {}
    mapping = sociallogin.provider.app.settings.get("trust", {})
    return str(mapping.get(str(token.get("acr", "")), Trust.NONE.value))


def _rank(level: str) -> int:
    return Trust.values.index(level)
