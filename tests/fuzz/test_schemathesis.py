"""Schemathesis: requests made from the OpenAPI document, and every answer held against it."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.conftest import ROUNDS, calm
from tests.openapi.conftest import document
from tests.serve.servers import Keys, Running

__all__ = ["document"]

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
WRITES = ("POST", "PATCH", "PUT", "DELETE")


def chosen(document: dict[str, Any], methods: tuple[str, ...], most: int) -> Iterator[Any]:
    """Operations to be tried: all in several rounds, else those whose path has at most `most` slashes."""
    schema = schemathesis.openapi.from_dict(document)
    for result in schema.get_all_operations():
        operation: Any = result.ok() if isinstance(result, Ok) else pytest.fail(str(result))
        if operation.path == "/events/v1" or operation.method.upper() not in methods:
            continue
        if ROUNDS > 1 or operation.path.count("/") <= most:
            yield operation


GROUPS = [("GET", "HEAD") if ROUNDS > 1 else ("GET",), *((method,) for method in WRITES)]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("methods", GROUPS)
@pytest.mark.usefixtures("city")
def test_answers_are_as_described(
    server: Running, keys: Keys, document: dict[str, Any], methods: tuple[str, ...], mode: GenerationMode
) -> None:
    headers = {"Authorization": f"Bearer {keys.manage}"}
    tried = 0
    # Making nearly right bodies of deep inserts takes long.
    most = 3 if mode is GenerationMode.NEGATIVE else 4
    for operation in chosen(document, methods, most):

        @calm(1 if operation.method.upper() in WRITES else 2)
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case: Any) -> None:
            answer = case.call(base_url=server.origin, headers=headers, timeout=30)
            # URLs beyond 64 KiB never reach the application: the HTTP server refuses them without a body.
            if answer.status_code != 414 or answer.content:
                case.validate_response(answer, checks=CHECKS)

        try:
            run()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # there is nothing in it that could be wrong
        else:
            tried += 1
    assert tried
