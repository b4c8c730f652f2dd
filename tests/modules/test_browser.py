"""Every module's pages in a browser: axe, the keyboard walk, no overflow on a phone, nothing on the console."""

import threading
from collections.abc import Iterator
from socketserver import TCPServer
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import psycopg
import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from playwright.sync_api import Browser

from mainzdigital.config import registry
from mainzdigital.kernel.modules import Module
from tests.browser.checks import axe_violations, overflow, walk
from tests.browser.conftest import Problems, chromium
from tests.modules import case

__all__ = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(WSGIServer):
    request_queue_size = 64

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # without a look-up of our own name
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()


@pytest.fixture
def served(db: psycopg.Connection) -> Iterator[str]:
    """The portal's pages over the database of the tests; one request at a time, in one thread."""

    def serve() -> None:
        try:
            server.serve_forever()
        finally:
            connection.close()

    with _Server(("127.0.0.1", 0), _Quiet) as server:
        server.set_app(get_wsgi_application())
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("module", registry.modules(), ids=lambda module: module.slug)
def test_pages_in_a_browser(
    served: str, chromium: Browser, monkeypatch: pytest.MonkeyPatch, module: Module, width: int
) -> None:
    # Playwright keeps an event loop in this thread; nothing of Django runs in it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    account = case.permitted(module)
    case.samples(module).make(2, account)
    session = case.signed_in(account).cookies[settings.SESSION_COOKIE_NAME].value
    context = chromium.new_context(viewport={"width": width, "height": 900}, locale="de-DE", reduced_motion="reduce")
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": served}])
    context.set_default_timeout(60_000)
    page, problems, seen = context.new_page(), Problems(served), 0
    problems.watch(page)
    faults = []
    for name in case.pages(module):
        url = f"{served}{case.address(module, name)}"
        answer = context.request.get(url, max_redirects=0)
        if answer.status != 200 or "text/html" not in answer.headers["content-type"]:
            continue
        page.goto(url)
        faults += [f"{name}: {fault}" for fault in axe_violations(page)]
        if (wider := overflow(page)) > 0:
            faults.append(f"{name} is {wider} px wider than {width}")
        stops = walk(page)
        links = page.locator("main :is(a[href], button, input:not([type=hidden], [tabindex='-1']), select, textarea)")
        missed = [text for text in links.filter(visible=True).all_inner_texts() if text and not _reached(text, stops)]
        faults += [f"{name}: the keyboard does not reach '{text}'" for text in missed]
        seen += 1
    context.close()
    assert seen
    assert faults == []
    assert problems.found == []


def _reached(text: str, stops: list[str]) -> bool:
    words = " ".join(text.split())
    return any(words in " ".join(stop.split()) for stop in stops)
