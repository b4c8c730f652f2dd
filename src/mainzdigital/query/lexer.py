"""Cuts an OData expression into tokens (OData 4.01 ABNF; intervals and geometry literals of 18-088, 9.3.3.5)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.expression import Geometry, Value
from mainzdigital.kernel.time import Interval, parse_instant

MAX_LENGTH = 8_000  # characters of one expression
MAX_DURATION = timedelta(days=366_000)


class Sign(StrEnum):
    VALUE = "value"
    WORD = "word"  # a path, a function's name or an operator
    OPEN = "("
    CLOSE = ")"
    COMMA = ","
    MINUS = "-"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    sign: Sign
    text: str
    place: int  # characters before it
    value: Value = None


_INSTANT = r"\d{4,6}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?"
_PERIOD = r"-?P(?=[\dT])(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?"
_TOKEN = re.compile(
    rf"""
      (?P<space>[ \t\r\n]+)
    | (?P<geometry>(?i:geography|geometry)'(?:[^']|'')*')
    | (?P<duration>duration'[^']*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<interval>{_INSTANT}/(?:{_INSTANT}|{_PERIOD})|{_PERIOD}/{_INSTANT})
    | (?P<instant>{_INSTANT})
    | (?P<date>\d{{4}}-\d\d-\d\d(?!\w))
    | (?P<clock>\d\d:\d\d(?::\d\d(?:\.\d{{1,9}})?)?(?!\w))
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<word>@?[^\W\d][\w.]*(?:\[\d+\])*(?:/[\w.@:~-]+(?:\[\d+\])*)*)
    | (?P<sign>[(),-])
    """,
    re.VERBOSE,
)
_PLACE = re.compile(r"\[(\d+)\]", re.ASCII)
_DURATION = re.compile(r"([+-])?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,12}))?S)?)?", re.ASCII)


def refuse(option: str, place: int, message: str, remedy: str = "") -> InvalidInput:
    """The error of one place in one option; counts characters from 1."""
    return InvalidInput(message, where=f"{option}, character {place + 1}", remedy=remedy)


def _duration(text: str, option: str, place: int) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None or text.lstrip("+-") in ("P", "PT") or text.endswith("T"):
        raise refuse(
            option, place, f"'{text[:40]}' is not a duration", "write it like duration'P1DT2H30M' (days at most)"
        )
    sign, days, hours, minutes, seconds, fraction = found.groups()
    try:
        value = timedelta(
            days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0), seconds=int(seconds or 0),
            microseconds=int((fraction or "0").ljust(6, "0")[:6]),
        )  # fmt: skip
    except (OverflowError, ValueError):
        value = MAX_DURATION * 2
    if value > MAX_DURATION:
        raise refuse(option, place, f"'{text[:40]}' is longer than 366000 days")
    return -value if sign == "-" else value


def _interval(text: str, option: str, place: int) -> Interval:
    where = f"{option}, character {place + 1}"
    first, _, second = text.partition("/")
    try:
        if first[0] in "-P":
            end = parse_instant(second, where=where)
            start = end - _duration(first, option, place)
        else:
            start = parse_instant(first, where=where)
            end = start + _duration(second, option, place) if second[0] in "-P" else parse_instant(second, where=where)
    except OverflowError:
        raise refuse(option, place, f"the interval '{text[:80]}' leaves the years 1 to 9999") from None
    if end < start:
        raise refuse(option, place, f"the interval '{text[:80]}' ends before it begins", "swap the two ends")
    return Interval(start, end)


def _number(text: str, option: str, place: int) -> int | float:
    if len(text) <= 400 and text.isdecimal() and text.isascii():
        value: int | float = int(text)
        if value <= 2**63:
            return value
    try:
        value = float(text)
    except ValueError:
        value = float("inf")
    if value == float("inf"):
        raise refuse(option, place, f"the number {text[:40]} is too large")
    return value


def _value(kind: str, text: str, option: str, place: int) -> Value:
    where = f"{option}, character {place + 1}"
    match kind:
        case "string":
            return text[1:-1].replace("''", "'")
        case "geometry":
            return Geometry(text[text.index("'") + 1 : -1].replace("''", "'"))
        case "duration":
            return _duration(text[9:-1], option, place)
        case "interval":
            return _interval(text.upper().replace(",", "."), option, place)
        case "instant":
            return parse_instant(text.upper().replace(",", "."), where=where)
        case "date":
            try:
                return date.fromisoformat(text)
            except ValueError:
                raise refuse(option, place, f"'{text}' is not a date", "write it like 2026-11-22") from None
        case "clock":
            try:
                return time.fromisoformat(text if text.count(":") == 2 else f"{text}:00")
            except ValueError:
                raise refuse(option, place, f"'{text}' is not a time of day", "write it like 13:45:00") from None
        case _:
            return _number(text, option, place)


def tokens(text: str, *, option: str) -> list[Token]:
    """The tokens of an expression, the last one END; raises InvalidInput with option and place."""
    if len(text) > MAX_LENGTH:
        raise InvalidInput(
            f"{option} is longer than {MAX_LENGTH} characters", where=option, remedy="ask for less at once"
        )
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            if text[place] == "'":
                raise refuse(option, place, "this text has no end", "close it with '; a ' inside is written ''")
            raise refuse(option, place, f"'{text[place]}' is not expected here")
        kind, piece = match.lastgroup or "", match.group()
        if kind == "sign":
            found.append(Token(Sign(piece), piece, place))
        elif kind == "word":
            # A place in a list is a step like any other; clients write it either way.
            found.append(Token(Sign.WORD, _PLACE.sub(r"/\1", piece), place))
        elif kind != "space":
            found.append(Token(Sign.VALUE, piece, place, _value(kind, piece, option, place)))
        place = match.end()
    found.append(Token(Sign.END, "", len(text)))
    return found


MIN_INSTANT = datetime.min.replace(tzinfo=UTC)
MAX_INSTANT = datetime.max.replace(tzinfo=UTC)
