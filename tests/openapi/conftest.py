"""The server of tests/serve, and the document it gives."""

from typing import Any

import httpx
import pytest

from tests.serve.fixtures import anonymous, keys, manager, open_process, process, server, writer
from tests.serve.servers import Running

__all__ = ["anonymous", "keys", "manager", "open_process", "process", "server", "writer"]


@pytest.fixture
def document(server: Running) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.origin}/api/openapi.json").json()
    return found
