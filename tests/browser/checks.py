"""What every page must hold, as checks over an open page."""

from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import AXE


def axe_violations(page: Page) -> list[str]:
    """Rules of WCAG 2.2 AA that axe finds broken, with the places."""
    # Through the debugger, since the page's own policy lets no foreign script in.
    page.evaluate(AXE.read_text("utf-8"))
    result: dict[str, Any] = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{item['id']}: {item['help']} at {[node['target'] for node in item['nodes']][:4]}"
        for item in result["violations"]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return max(0, wider)  # the gutter kept for a scrollbar makes it narrower


def walk(page: Page, *, steps: int = 400) -> list[str]:
    """Press Tab from the top until focus leaves the page: tag and name of each stop; every stop must be seen."""
    stops: list[str] = []
    for _ in range(steps):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
              const at = document.activeElement;
              if (!at || at === document.body) return null;
              const box = at.getBoundingClientRect();
              const style = getComputedStyle(at);
              const shown = style.outlineStyle !== 'none' || style.boxShadow !== 'none' || at.matches('input, select');
              const name = (at.getAttribute('aria-label') || at.innerText || at.value || '').trim();
              return {tag: at.tagName.toLowerCase(), name,
                      seen: box.width > 0 && box.height > 0, shown};
            }"""
        )
        if stop is None:
            break
        assert stop["seen"], f"focus on something unseen: {stop}"
        assert stop["shown"], f"focus is not shown on {stop}"
        stops.append(f"{stop['tag']} {stop['name']}")
    return stops
