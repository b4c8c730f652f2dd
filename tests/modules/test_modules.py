"""Every registered module holds the contract (case.py)."""

from collections.abc import Callable

import psycopg
import pytest

from mainzdigital.config import registry
from mainzdigital.kernel.modules import Module
from tests.modules import case


@pytest.mark.parametrize("module", registry.modules(), ids=lambda module: module.slug)
@pytest.mark.parametrize("check", case.CHECKS, ids=lambda check: check.__name__)
def test_module(db: psycopg.Connection, check: Callable[[Module], None], module: Module) -> None:
    check(module)
