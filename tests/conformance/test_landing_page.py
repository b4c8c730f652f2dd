"""The service root promises what tests show: no less, no more."""

import httpx
from tools import conformance

from tests.conformance.test_create_update_delete import got


def listed(anonymous: httpx.Client) -> set[str]:
    uris: list[str] = got(anonymous, "")["serverSettings"]["conformance"]
    assert len(uris) == len(set(uris))
    return {uri.removeprefix(conformance.SPECIFICATION) for uri in uris}


def test_tests_name_requirements_of_the_standard() -> None:
    assert set(conformance.named()) - set(conformance.requirements()) == set()


def test_what_is_listed_is_shown(anonymous: httpx.Client) -> None:
    assert listed(anonymous) - conformance.covered() == set(), "listed, but not shown by tests/conformance"


def test_what_is_shown_is_listed(anonymous: httpx.Client) -> None:
    found = listed(anonymous)
    classes = conformance.requirements()
    unlisted = {name for name in conformance.covered() if name not in found and classes.get(name) not in found}
    assert unlisted == set(), "shown, but not listed: add it to READING or WRITING"
