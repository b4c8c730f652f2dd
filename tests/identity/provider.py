"""An OpenID Connect provider on loopback, for tests of sign-in by others: it says what the test tells it to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt


@dataclass(slots=True)
class Provider:
    """`claims` are those of the next sign-in; `requests` are the paths that were asked for."""

    url: str = ""
    claims: dict[str, object] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": "city", "iat": now, "exp": now + 60, **self.claims}
        return jwt.encode(claims, "k" * 32, algorithm="HS256")


@contextmanager
def provider() -> Iterator[Provider]:
    """Yields the running provider."""
    found = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.requests.append(self.path)
            if self.path == "/.well-known/openid-configuration":
                names = ("authorization", "token", "userinfo")
                answer: dict[str, object] = {f"{name}_endpoint": f"{found.url}/{name}" for name in names}
                self._answer(answer | {"issuer": found.url, "jwks_uri": f"{found.url}/keys"})
            else:
                self._answer({name: value for name, value in found.claims.items() if name != "acr"})

        def do_POST(self) -> None:
            found.requests.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer({"access_token": "t", "token_type": "Bearer", "id_token": found.id_token()})

        def _answer(self, value: dict[str, object]) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
