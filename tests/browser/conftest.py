"""A whole running city with a few stations, and Chromium before it. Console errors and refused requests fail a test."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.house.city import city as running_city
from tests.web import city as stations

expect.set_options(timeout=60_000)  # the machine may be busy; nothing here measures speed
_ARGUMENTS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
]  # fmt: skip
AXE = Path(__file__).resolve().parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@dataclass(frozen=True, slots=True)
class Portal:
    """The city's address, and the ids of its stations by name."""

    url: str
    stations: dict[str, int]
    dsn: str

    def station(self, name: str) -> str:
        return f"{self.url}/messstellen/{self.stations[name]}/"


@pytest.fixture(scope="session")
def portal() -> Iterator[Portal]:
    """All processes of `mainzdigital run`, with fifteen days of values in it."""
    home = Path(tempfile.mkdtemp(prefix="md-portal-"))
    try:
        with running_city(home) as found:
            dsn = f"host={home / 'run'} port=5432 user=mainzdigital dbname=mainzdigital"
            with psycopg.connect(dsn, autocommit=True) as connection:
                ids = stations.fill(connection, now=datetime.now(UTC))
            yield Portal(found.url, ids, dsn)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """While it lives, an event loop runs in this thread, which Django and asyncio.run would refuse to work beside."""
    names = (os.environ.get("MAINZDIGITAL_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    program = next((path for name in names if name and (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        browser.close()


class Problems:
    """What a page complained of: script errors, console errors (refusals by the content policy among them), requests
    that failed or went elsewhere."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.found: list[str] = []
        self.expected: set[int] = set()

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"script: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "status of" not in message.text:
            self.found.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.found.append(f"asked elsewhere: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.found.append(f"{response.status}: {response.url}")


@pytest.fixture
def problems(portal: Portal) -> Iterator[Problems]:
    found = Problems(portal.url)
    yield found
    assert found.found == []


Opener = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, problems: Problems) -> Iterator[Opener]:
    """Open a page: `visit(address, width=360, dark=True, script=False)`."""
    contexts: list[BrowserContext] = []

    def opened(
        address: str,
        *,
        width: int = 1440,
        height: int = 900,
        dark: bool = False,
        script: bool = True,
        language: str = "de-DE",
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            locale=language,
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            reduced_motion="reduce",
            accept_downloads=True,
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        problems.watch(page)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
