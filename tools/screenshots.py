"""The pictures of the README, taken from a running demo: `python -m tools.screenshots [ADDRESS]`."""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "pictures"


def chromium() -> str:
    for name in (os.environ.get("MAINZDIGITAL_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and (found := shutil.which(name)):
            return found
    raise SystemExit("screenshots need Chromium (Debian: apt install chromium)")


def first_thing(page: Page, address: str) -> str:
    """Address of the page of an air-quality station: what the start page speaks of first."""
    page.goto(f"{address}/messstellen/?art=airquality")
    link = page.locator("main a[href*='/messstellen/']").first.get_attribute("href")
    if not link:
        raise SystemExit("there is no station yet; is the demo running?")
    return f"{address}{link}"


def main(address: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="de-DE")
        shots = {
            "start": f"{address}/",
            "map": f"{address}/karte/",
            "thing": first_thing(page, address),
            "style": f"{address}/gestaltung/",
        }
        for name, target in shots.items():
            page.goto(target)
            page.wait_for_timeout(2500)  # map and chart draw after load; a picture has no event to wait for
            page.screenshot(path=FOLDER / f"{name}.png")
        page.set_viewport_size({"width": 360, "height": 780})
        page.goto(shots["start"])
        page.wait_for_timeout(2500)
        page.screenshot(path=FOLDER / "phone.png")
        browser.close()


if __name__ == "__main__":
    main((sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000").rstrip("/"))
