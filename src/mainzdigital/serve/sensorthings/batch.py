"""Batch requests: 18-088, clause 12, after OData 4.0, 11.7 (multipart) and OData JSON 4.01, 19 (JSON).

Requests are carried out one after the other as if each had come alone; those of a change set (atomicity group) in one
transaction: all, or none. The answer is 200 whatever became of them.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import psycopg

from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import InvalidInput, TooLarge
from mainzdigital.serve import errors
from mainzdigital.serve.app_services import Services
from mainzdigital.serve.etags import matches
from mainzdigital.serve.http import JSON_TYPE, Request, Response, require_accept, require_type
from mainzdigital.serve.sensorthings import batch_json, batch_multipart, writes
from mainzdigital.serve.sensorthings.batch_items import Answer, Done, FailedDependency, Item, minimal, request_for
from mainzdigital.serve.sensorthings.calls import Setting, permit
from mainzdigital.serve.sensorthings.route import call_of, carry_out, require_method
from mainzdigital.serve.sensorthings.target import METHODS, Kind

MULTIPART = "multipart/mixed"
_TRIES = 3
_PREFER = re.compile(r'(?:odata\.)?continue-on-error(?:\s*=\s*"?(true|false)"?)?\s*(?:;.*)?', re.I)


async def answer(request: Request, services: Services, setting: Setting) -> Response:
    """Carry out a batch. Raises what concerns the batch itself: its method, its form, its size."""
    require_method(request, METHODS[Kind.BULK])
    await services.authenticator.reader(request)  # a wrong key fails once, not for every request
    kind = require_type(request, JSON_TYPE, MULTIPART)
    accepted = require_accept(request, kind, *({JSON_TYPE, MULTIPART} - {kind}))
    wanted, applied = _continues(request)
    body = await request.body()
    limit = services.limits.requests
    if kind == JSON_TYPE:
        items, go_on = await asyncio.to_thread(batch_json.parse, body, limit), wanted is not False
    else:
        content_type = request.headers["content-type"]
        items, go_on = await asyncio.to_thread(batch_multipart.parse, body, content_type, limit), wanted is True
    answers = await _Run(request, services, setting).all(items, go_on=go_on)
    if accepted == JSON_TYPE:
        named = kind == MULTIPART or bool({"odata-version", "odata-maxversion"} & set(request.headers))
        response = batch_json.render(answers, with_groups=named)
    else:
        response = batch_multipart.render(answers)
    response.headers["Cache-Control"] = "no-store"
    if applied:
        response.headers["Preference-Applied"] = applied
    return response


def _continues(request: Request) -> tuple[bool | None, str]:
    """What the request prefers to happen after an error, None where it says nothing, and how that is acknowledged."""
    for preference in request.headers.get("prefer", "").split(","):
        found = _PREFER.fullmatch(preference.strip())
        if found is not None:
            going_on = (found[1] or "true").lower() == "true"
            return going_on, "continue-on-error" if going_on else "continue-on-error=false"
    return None, ""


@dataclass(slots=True)
class _Whole:
    """A change set that was carried out."""

    done: Done
    answers: list[Answer]


@dataclass(slots=True)
class _Failed:
    """A change set that was not, and the request to blame."""

    place: int
    error: Exception


class _Run:
    """A batch under way."""

    def __init__(self, request: Request, services: Services, setting: Setting) -> None:
        self._outer = request
        self._services = services
        self._setting = setting
        self._done = Done(setting.root)
        self._size = 0

    async def all(self, items: Sequence[Item], *, go_on: bool) -> list[Answer]:
        """The answers, in order; those after an error are missing unless the batch goes on."""
        answers: list[Answer] = []
        for group, members in groupby(enumerate(items), lambda pair: pair[1].group or pair[0]):
            found = await (self._set if isinstance(group, str) else self._single)([item for _, item in members])
            answers += found
            self._size += sum(len(one.response.body) for one in found if isinstance(one.response.body, bytes))
            if not go_on and any(one.response.status >= 400 for one in found):
                break
        return answers

    def _within(self) -> None:
        limit = self._services.limits.answer
        if self._size > limit:
            raise TooLarge(
                f"the answers to this batch exceed {limit // 1024} KiB already (limit MAINZDIGITAL_ANSWER_LIMIT)",
                where="requests",
                remedy="ask for less, or send several batches",
            )  # fmt: skip

    async def _single(self, items: Sequence[Item]) -> list[Answer]:
        (item,) = items
        path = ""
        try:
            self._within()
            if (blocked := self._done.blocked(item)) is not None:
                raise blocked
            request, path = request_for(item, self._outer, self._done)
            call = call_of(request, self._setting)
            response = await carry_out(call, await self._services.authenticator.reader(request), self._services)
            known = request.headers.get("if-none-match")
            if known and item.method == "GET" and matches(known, response.headers.get("ETag", ""), weak=True):
                response = Response(304, headers=response.headers)
        except Exception as error:  # noqa: BLE001 every failure becomes the answer to this one request
            response = errors.answer(error, method=item.method, path=item.url)
        self._done.note(item, path, response)
        return [Answer(item, minimal(item, path, response))]

    async def _set(self, items: Sequence[Item]) -> list[Answer]:
        """A change set. Where one of its requests fails, so do all."""
        try:
            self._within()
            readers = [await self._reader(item) for item in items]
            found = await self._services.write(lambda connection: self._together(connection, items, readers))
        except Exception as error:  # noqa: BLE001 as above
            found = _Failed(0, error)
        # Also where all is rolled back: what was found out meanwhile may rest on it.
        self._services.known.forget()
        if isinstance(found, _Whole):
            self._done = found.done
            self._done.succeeded[items[0].group] = True
            return found.answers
        self._done.succeeded |= {name: False for item in items for name in (item.group, item.id) if name}
        answers = [
            Answer(item, errors.render(FailedDependency("another request of its change set failed"))) for item in items
        ]
        blamed = answers[found.place]
        blamed.response = errors.answer(found.error, method=blamed.item.method, path=blamed.item.url)
        blamed.speaks_for_set = True
        return answers

    def _together(
        self, connection: psycopg.Connection, items: Sequence[Item], readers: Sequence[Reader]
    ) -> "_Whole | _Failed":
        """Carry out a change set in one transaction; which request failed, where one did."""
        for left in reversed(range(_TRIES)):
            place, whole = 0, _Whole(self._done.copy(), [])
            try:
                with connection.transaction():
                    for place, item in enumerate(items):
                        whole.answers.append(self._change(connection, item, readers[place], whole.done))
                return whole
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure) as error:
                if not left:
                    return _Failed(place, error)
            except Exception as error:  # noqa: BLE001 told with the request it belongs to
                return _Failed(place, error)
        raise AssertionError("the last try returns")

    async def _reader(self, item: Item) -> Reader:
        """Who a request of a change set is made by; its own key counts, as outside."""
        headers = {**self._outer.headers, **item.headers}
        headers.pop("cookie", None)
        outer = self._outer
        return await self._services.authenticator.reader(
            Request(item.method, outer.path, "", headers, outer.client, outer.scheme, outer.receive)
        )

    def _change(self, connection: psycopg.Connection, item: Item, reader: Reader, done: Done) -> Answer:
        """One request of a change set, on the connection of its transaction. Raises what refuses it."""
        if item.method in {"GET", "HEAD"}:
            raise InvalidInput(
                "a change set holds changes only", where="method", remedy="read before or after it, in the same batch"
            )
        if (blocked := done.blocked(item)) is not None:
            raise blocked
        request, path = request_for(item, self._outer, done)
        call = call_of(request, self._setting)
        call.reader = reader
        permit(call)
        writes.require_body_type(call)
        response = writes.plan(call, request.given or b"")(connection)
        done.note(item, path, response)
        return Answer(item, minimal(item, path, response))
