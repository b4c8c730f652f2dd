"""Order and paging by key: `$orderby` as SQL keys, and the condition `after the last row of the page before`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.expression import Expression, Path
from mainzdigital.query.evaluate import paths
from mainzdigital.query.types import Kind, resolve
from mainzdigital.store.compile import Scope
from mainzdigital.store.compile_terms import as_number, as_text, as_truth, term

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key: SQL, its type, direction. Null comes first ascending, last descending (OData 4.01, 11.2.6.2)."""

    sql: str
    type: str
    descending: bool = False
    nullable: bool = True

    @property
    def order(self) -> str:
        # The index is read as it stands where there are no nulls.
        nulls = (" NULLS LAST" if self.descending else " NULLS FIRST") if self.nullable else ""
        return f"{self.sql}{' DESC' if self.descending else ''}{nulls}"


def _is_many(expression: Expression, scope: Scope) -> bool:
    return any(
        navigation.many
        for path in paths(expression)
        for navigation in resolve(scope.entity, path.steps, internal=True).navigations
    )


def _keys(expression: Expression, scope: Scope) -> list[OrderKey]:
    found = term(expression, scope)
    match found.kind:
        case Kind.JSON:
            return [
                OrderKey(found.number, "float8"),
                OrderKey(f'{found.text} COLLATE "C"', "text"),
                OrderKey(found.truth, "boolean"),
            ]
        case Kind.NUMBER:
            if found.integer:
                return [OrderKey(found.sql, "bigint", nullable=found.sql != f"{scope.alias}.id")]
            return [OrderKey(as_number(found, scope), "float8")]
        case Kind.TEXT:
            return [OrderKey(f'{as_text(found)} COLLATE "C"', "text")]
        case Kind.BOOLEAN:
            return [OrderKey(as_truth(found), "boolean")]
        case Kind.TIME:
            always = found.sql == f"{scope.alias}.phenomenon_time"
            return [OrderKey(found.sql, "timestamptz", nullable=not always)]
        case Kind.DATE | Kind.CLOCK | Kind.DURATION:
            return [OrderKey(found.sql, {Kind.DATE: "date", Kind.CLOCK: "time"}.get(found.kind, "interval"))]
        case _:
            raise InvalidInput(f"nothing can be ordered by {found.kind.value}", where="$orderby")


def _least(expression: Expression, descending: bool, scope: Scope) -> list[OrderKey]:
    """Keys over relations to many: the least of the related ascending, the greatest descending."""
    inner = Scope(scope.builder, scope.entity, scope.name(), guarded=scope.guarded)
    keys = _keys(expression, inner)
    alias, pick = scope.name(), "max" if descending else "min"
    columns = ", ".join(
        f"{pick}(({key.sql}){'::int' if key.type == 'boolean' else ''}) AS k{index}" for index, key in enumerate(keys)
    )
    scope.joins.append(
        f"LEFT JOIN (SELECT {inner.alias}.id, {columns} FROM {inner.source} GROUP BY {inner.alias}.id) AS {alias} "
        f"ON {alias}.id = {scope.alias}.id"
    )
    return [
        replace(
            key,
            sql=f"{alias}.k{index}" + (' COLLATE "C"' if key.type == "text" else ""),
            type="bigint" if key.type == "boolean" else key.type,
            nullable=True,
        )
        for index, key in enumerate(keys)
    ]


def order_keys(orderings: Sequence[tuple[Expression, bool]], scope: Scope, *, one_datastream: bool) -> list[OrderKey]:
    """The keys of a total order: those asked for, then what tells equal rows apart.

    `one_datastream`: all observations belong to one, so that the primary key gives their order.
    """
    orderings = orderings or [(Path((name,)), False) for name in scope.entity.default_order]
    keys: list[OrderKey] = []
    for expression, descending in orderings:
        found = _least(expression, descending, scope) if _is_many(expression, scope) else _keys(expression, scope)
        keys += [replace(key, descending=descending) for key in found]
    known = {key.sql for key in keys}
    a = scope.alias
    ties = [OrderKey(f"{a}.id", "bigint", nullable=False)]
    if scope.entity.name == "Observation" and ties[0].sql not in known:
        time = OrderKey(f"{a}.phenomenon_time", "timestamptz", nullable=False)
        # Equal times go on in the direction of the time, so that the index serves both.
        down = keys[-1].descending if keys[-1].sql == time.sql else False
        ties = [time] if one_datastream else [time, OrderKey(f"{a}.datastream_id", "bigint", down, nullable=False)]
        ties.append(OrderKey(f"{a}.seq", "bigint", down, nullable=False))
    return keys + [key for key in ties if key.sql not in known]


def after(keys: Sequence[OrderKey], values: Sequence[object], scope: Scope) -> str:
    """Rows that come after the one with these key values."""
    condition = ""
    for key, value in reversed(list(zip(keys, values, strict=True))):
        if value is None:
            beyond, same = ("FALSE" if key.descending else f"{key.sql} IS NOT NULL"), f"{key.sql} IS NULL"
        else:
            bound = scope.bind(value, key.type)
            beyond, same = f"{key.sql} {'<' if key.descending else '>'} {bound}", f"{key.sql} = {bound}"
            if key.descending and key.nullable:
                beyond = f"({beyond} OR {key.sql} IS NULL)"
        condition = f"({beyond} OR ({same} AND {condition}))" if condition else f"({beyond})"
    if keys and values[0] is not None and not keys[0].nullable:
        # Implied; it prunes partitions and bounds the index scan.
        sign = "<=" if keys[0].descending else ">="
        condition = f"({keys[0].sql} {sign} {scope.bind(values[0], keys[0].type)} AND {condition})"
    return condition


_encoder = msgspec.json.Encoder()


def pack(values: Sequence[object]) -> bytes:
    """Key values of a row as bytes for a link."""
    plain = [
        (value - _EPOCH) // _MICROSECOND
        if isinstance(value, datetime)
        else value // _MICROSECOND
        if isinstance(value, timedelta)
        else value
        if value is None or isinstance(value, bool | int | float | str)
        else str(value)
        for value in values
    ]
    return _encoder.encode(plain)


def unpack(data: bytes, keys: Sequence[OrderKey]) -> list[object]:
    """Undo `pack`; raises ValueError for what fits not these keys."""
    try:
        plain = msgspec.json.decode(data, type=list[bool | int | float | str | None])
        return [_unpack(value, key.type) for value, key in zip(plain, keys, strict=True)]
    except (msgspec.MsgspecError, OverflowError) as error:
        raise ValueError("not the values of these keys") from error


def _unpack(value: object, kind: str) -> object:
    if value is None:
        return None
    if kind in ("timestamptz", "interval", "bigint"):
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
            raise ValueError("a whole number is expected")
        if kind == "bigint":
            return value
        change = timedelta(microseconds=value)
        return change if kind == "interval" else _EPOCH + change
    if kind == "float8":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("a number is expected")
        return float(value)
    if kind == "boolean":
        if not isinstance(value, bool):
            raise ValueError("true or false is expected")
        return value
    if not isinstance(value, str) or "\x00" in value or any(0xD800 <= ord(item) < 0xE000 for item in value):
        raise ValueError("a text is expected")
    return date.fromisoformat(value) if kind == "date" else time.fromisoformat(value) if kind == "time" else value
