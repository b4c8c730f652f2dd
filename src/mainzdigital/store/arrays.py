"""Arrays as parameters in PostgreSQL's binary form, packed at once; the driver takes them element by element.

Times are microseconds since 2000, as PostgreSQL has them: no datetime is made only to be unmade.
"""

import struct
from collections.abc import Sequence

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

_HEADER = struct.Struct(">iiIii")
_EMPTY = struct.Struct(">iiI")
_NULL = b"\xff\xff\xff\xff"


class Array:
    """An array of one of the types below."""

    __slots__ = ("data",)
    element_oid = 0
    oid = 0
    code = ""
    size = 0

    def __init__(self, values: Sequence[float | int | bool | None]) -> None:
        count = len(values)
        if not count:
            self.data = _EMPTY.pack(0, 0, self.element_oid)
            return
        nulls = None in values
        if nulls:
            pack = struct.Struct(f">i{self.code}").pack
            body = b"".join([_NULL if value is None else pack(self.size, value) for value in values])
        else:
            size = self.size
            body = struct.pack(">" + f"i{self.code}" * count, *[part for value in values for part in (size, value)])
        self.data = _HEADER.pack(1, nulls, self.element_oid, count, 1) + body


class SmallInts(Array):
    __slots__ = ()
    element_oid, oid, code, size = 21, 1005, "h", 2


class Ints(Array):
    __slots__ = ()
    element_oid, oid, code, size = 23, 1007, "i", 4


class BigInts(Array):
    __slots__ = ()
    element_oid, oid, code, size = 20, 1016, "q", 8


class Times(Array):
    """timestamptz[] from microseconds since 2000."""

    __slots__ = ()
    element_oid, oid, code, size = 1184, 1185, "q", 8


class Floats(Array):
    __slots__ = ()
    element_oid, oid, code, size = 701, 1022, "d", 8


class Booleans(Array):
    __slots__ = ()
    element_oid, oid, code, size = 16, 1000, "?", 1


class Texts(Array):
    """text[] from UTF-8."""

    __slots__ = ()
    element_oid, oid = 25, 1009

    def __init__(self, values: Sequence[bytes | None]) -> None:
        if not values:
            self.data = _EMPTY.pack(0, 0, self.element_oid)
            return
        body = b"".join([_NULL if value is None else len(value).to_bytes(4, "big") + value for value in values])
        self.data = _HEADER.pack(1, None in values, self.element_oid, len(values), 1) + body


class _Dumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> Buffer:
        return obj.data


def _register(kind: type[Array]) -> None:
    dumper = type(f"{kind.__name__}Dumper", (_Dumper,), {"oid": kind.oid})
    psycopg.adapters.register_dumper(kind, dumper)


for _kind in (SmallInts, Ints, BigInts, Times, Floats, Booleans, Texts):
    _register(_kind)


class MicrosLoader(Loader):
    """timestamptz as microseconds since 2000, for cursors that ask for it in binary form."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return int.from_bytes(data, "big", signed=True)


def micros_cursor(connection: psycopg.Connection) -> psycopg.Cursor:
    """A cursor whose times are microseconds since 2000; execute with `binary=True`."""
    cursor = connection.cursor()
    cursor.adapters.register_loader("timestamptz", MicrosLoader)
    return cursor
