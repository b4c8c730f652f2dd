"""Batches as multipart/mixed (OData 4.0, 11.7): parts are HTTP requests, or change sets of them."""

import secrets
from collections.abc import Sequence
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Policy, compat32
from http import HTTPStatus
from itertools import groupby
from typing import Any

from mainzdigital.kernel.errors import InvalidInput, TooLarge
from mainzdigital.serve.http import Response, origin_header
from mainzdigital.serve.sensorthings.batch_items import Answer, Item

LINES = 500_000  # of a batch; the parser goes through them one by one
_HTTP = "application/http"


class _Part(Message):
    """A part as it is. What stands inside is parsed where it is expected, so nobody nests parts a thousand deep."""

    def get_content_maintype(self) -> str:
        return "application"

    def get_content_type(self) -> str:
        return _HTTP


def parse(body: bytes, content_type: str, limit: int) -> list[Item]:
    """The requests of a batch; raises InvalidInput where it has not the standard's form, TooLarge above the limits."""
    if body.count(b"\n") + body.count(b"\r") > 2 * LINES:
        raise TooLarge(f"the batch has more than {LINES} lines", where="body", remedy="send several batches")
    items: list[Item] = []
    names: set[str] = set()
    for number, part in enumerate(_parts(body, content_type, "body", limit)):
        where = f"part {number + 1}"
        kind, own = _type(part)
        if kind == "multipart/mixed":
            inner = _parts(_content(part), own, where, limit)
            found = [_item(one, f"{where}.{place + 1}", f"changeset{number + 1}") for place, one in enumerate(inner)]
        else:
            found = [_item(part, where, "")]
        for item in found:
            if item.id and item.id in names:
                raise InvalidInput(
                    f"the Content-ID '{item.id[:80]}' stands twice", where=where, remedy="use another one"
                )
            names.add(item.id)
        items += found
        if len(items) > limit:
            raise TooLarge(
                f"the batch has more than {limit} requests (limit MAINZDIGITAL_BATCH_LIMIT)",
                where="body",
                remedy="send several batches",
            )
    return items


def _parts(body: bytes, content_type: str, where: str, limit: int) -> list[Message]:
    """The parts of a multipart body, not looked into."""
    made: list[Message] = []

    def factory(policy: "Policy[Any]") -> Message:
        # The first message is the whole; only it has parts.
        made.append((_Part if made else Message)(policy=policy))
        return made[-1]

    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    whole: Message = BytesParser(policy=compat32.clone(message_factory=factory)).parsebytes(head + body)
    if not whole.get_boundary():
        raise InvalidInput(
            "the multipart body has no boundary", where="Content-Type", remedy="write multipart/mixed;boundary=abc"
        )
    parts = whole.get_payload()
    if not isinstance(parts, list) or whole.defects:
        raise InvalidInput(
            "the multipart body does not begin and end with its boundary", where=where,
            remedy=f"separate the parts by --{whole.get_boundary()}, end with --{whole.get_boundary()}--",
        )  # fmt: skip
    if len(parts) > limit:
        raise TooLarge(
            f"the batch has more than {limit} requests (limit MAINZDIGITAL_BATCH_LIMIT)",
            where=where,
            remedy="send several batches",
        )
    return [part for part in parts if isinstance(part, Message)]


def _type(part: Message) -> tuple[str, str]:
    """The media type of a part, alone and with its parameters."""
    given = str(part.get("Content-Type", ""))
    return given.partition(";")[0].strip().lower(), given


def _line(value: object) -> str:
    """A header's value on one line."""
    return " ".join(str(value).split())


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _item(part: Message, where: str, group: str) -> Item:
    kind, _ = _type(part)
    if kind != _HTTP:
        raise InvalidInput(
            f"a part of type '{kind[:80]}' is not taken here", where=where,
            remedy=f"send {_HTTP}" + ("" if group else ", or a change set as multipart/mixed"),
        )  # fmt: skip
    content = _content(part).lstrip(b"\r\n")
    first, _, rest = content.partition(b"\n")
    words = first.decode("utf-8", "replace").strip().split()
    if len(words) > 2 and words[-1].upper().startswith("HTTP/"):
        words.pop()
    if len(words) < 2 or not words[0].isalpha():
        raise InvalidInput(
            "the part does not begin with a request", where=where, remedy="begin it with 'GET Things(1) HTTP/1.1'"
        )
    head, body = _split(rest)
    headers = BytesHeaderParser().parsebytes(head)
    return Item(
        id=_line(part.get("Content-ID", "")),
        method=words[0].upper(),
        url=" ".join(words[1:]),
        headers={name.lower(): _line(value) for name, value in headers.items()},
        body=body.strip(b"\r\n"),
        group=group,
    )


def _split(rest: bytes) -> tuple[bytes, bytes]:
    """Headers and body; Content-Length is not asked, the boundary says where the body ends."""
    if rest.startswith((b"\r\n", b"\n")):
        return b"", rest
    ends = [(place, size) for mark, size in ((b"\r\n\r\n", 4), (b"\n\n", 2)) if (place := rest.find(mark)) >= 0]
    if not ends:
        return rest, b""
    place, size = min(ends)
    return rest[:place], rest[place + size :]


def render(answers: Sequence[Answer]) -> Response:
    """The answers as one: a change set as it came, or, where it failed, the one answer that says why."""
    parts: list[bytes] = []
    for group, members in groupby(enumerate(answers), lambda pair: pair[1].item.group or pair[0]):
        found = [answer for _, answer in members]
        blamed = [answer for answer in found if answer.speaks_for_set]
        if not isinstance(group, str) or blamed:
            parts.append(_http((blamed or found)[0]))
            continue
        boundary, body = _joined("changeset", [_http(answer) for answer in found])
        parts.append(f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode() + body)
    boundary, body = _joined("batch", parts)
    return Response(200, body, f"multipart/mixed; boundary={boundary}")


def _joined(name: str, parts: Sequence[bytes]) -> tuple[str, bytes]:
    boundary = f"{name}_{secrets.token_hex(16)}"
    mark = f"--{boundary}".encode()
    return boundary, b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def _http(answer: Answer) -> bytes:
    response = answer.response
    body = response.body if isinstance(response.body, bytes) else b""
    lines = [f"Content-Type: {_HTTP}", "Content-Transfer-Encoding: binary"]
    if answer.item.id:
        lines.append(f"Content-ID: {origin_header(answer.item.id)}")
    lines += ["", f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if body:
        lines += [f"Content-Type: {response.content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body
