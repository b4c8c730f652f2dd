from collections.abc import Iterator

import pytest
from django.test import override_settings
from tools.messages import compile_all


@pytest.fixture(scope="session", autouse=True)
def _as_served() -> Iterator[None]:
    """Mail goes to the outbox as in service; passwords are hashed quickly, since their strength is not tested here."""
    compile_all()
    with override_settings(
        EMAIL_BACKEND="mainzdigital.identity.outbox.Outbox",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ):
        yield
