"""JSON Patch (RFC 6902) for entities: req/create-update-delete/update-entity-jsonpatch of 18-088."""

import copy
from collections.abc import Mapping

from mainzdigital.exchange.sensorthings.validate_json import DEPTH_LIMIT, nesting
from mainzdigital.kernel.errors import Conflict, InvalidInput, TooLarge

OPERATION_LIMIT = 200
WEIGHT_LIMIT = 100_000  # values in the patched document
_MISSING = object()


def apply(document: Mapping[str, object], operations: object, *, depth: int = DEPTH_LIMIT) -> dict[str, object]:
    """The document after all operations. Raises InvalidInput, and Conflict where a `test` does not hold."""
    if not isinstance(operations, list):
        raise InvalidInput("a JSON Patch is a list of operations", where="body", remedy='send [{"op": "replace", …}]')
    if len(operations) > OPERATION_LIMIT:
        raise InvalidInput(f"a JSON Patch may have {OPERATION_LIMIT} operations", where="body")
    result: object = copy.deepcopy(dict(document))
    for index, operation in enumerate(operations):
        result = _apply(result, operation, f"[{index}]")
        # Copies of copies double with every operation.
        if nesting(result, depth) > depth or _weight(result) > WEIGHT_LIMIT:
            raise TooLarge("the patch makes the entity too large or too deep", where=f"[{index}]")
    if not isinstance(result, dict):
        raise InvalidInput("the patch leaves no JSON object", where="body")
    return result


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    """What a PATCH of top-level properties has to say to get from `before` to `after`."""
    changed = {name: value for name, value in after.items() if name not in before or not same(before[name], value)}
    return changed | {name: None for name in before if name not in after}


def _apply(document: object, operation: object, where: str) -> object:
    if not isinstance(operation, Mapping):
        raise InvalidInput("an operation must be a JSON object", where=where)
    name, path = operation.get("op"), _pointer(operation.get("path"), f"{where}.path")
    match name:
        case "add" | "replace" | "test":
            if "value" not in operation:
                raise InvalidInput(f"'{name}' needs a value", where=f"{where}.value")
            value = operation["value"]
            if name == "test":
                if not same(_get(document, path, where), value):
                    raise Conflict(f"the value at {operation['path']} is another one", where=where)
                return document
            if name == "replace":
                _get(document, path, where)
                return _put(document, path, value, where, insert=False)
            return _put(document, path, value, where, insert=True)
        case "remove":
            return _remove(document, path, where)
        case "move" | "copy":
            source = _pointer(operation.get("from"), f"{where}.from")
            value = copy.deepcopy(_get(document, source, where))
            if name == "move":
                if path[: len(source)] == source and path != source:
                    raise InvalidInput("a value cannot be moved into itself", where=where)
                document = _remove(document, source, where)
            return _put(document, path, value, where, insert=True)
        case _:
            raise InvalidInput(
                f"'{str(name)[:40]}' is no operation of JSON Patch", where=f"{where}.op",
                remedy="use add, remove, replace, move, copy or test",
            )  # fmt: skip


def _pointer(value: object, where: str) -> list[str]:
    """The steps of a JSON Pointer (RFC 6901)."""
    if not isinstance(value, str) or (value and not value.startswith("/")):
        raise InvalidInput("a path must be a JSON Pointer", where=where, remedy="write it like /properties/owner")
    return [step.replace("~1", "/").replace("~0", "~") for step in value.split("/")[1:]]


def _step(holder: object, step: str, where: str) -> object:
    if isinstance(holder, dict):
        return holder.get(step, _MISSING)
    if isinstance(holder, list):
        index = _index(step, len(holder) - 1, where)
        return holder[index]
    return _MISSING


def _index(step: str, last: int, where: str) -> int:
    if not (step.isascii() and step.isdigit()) or len(step) > 9 or (step[0] == "0" and step != "0") or int(step) > last:
        raise InvalidInput(f"there is no item '{step[:40]}' in the list", where=f"{where}.path")
    return int(step)


def _get(document: object, path: list[str], where: str) -> object:
    for step in path:
        document = _step(document, step, where)
        if document is _MISSING:
            raise InvalidInput(f"there is nothing at '/{'/'.join(path)[:80]}'", where=f"{where}.path")
    return document


def _put(document: object, path: list[str], value: object, where: str, *, insert: bool) -> object:
    if not path:
        return value
    holder = _get(document, path[:-1], where)
    if isinstance(holder, dict):
        holder[path[-1]] = value
    elif isinstance(holder, list):
        if path[-1] == "-" and insert:
            holder.append(value)
        elif insert:
            holder.insert(_index(path[-1], len(holder), where), value)
        else:
            holder[_index(path[-1], len(holder) - 1, where)] = value
    else:
        raise InvalidInput("a value without parts cannot take one", where=f"{where}.path")
    return document


def _remove(document: object, path: list[str], where: str) -> object:
    _get(document, path, where)
    if not path:
        return None
    holder = _get(document, path[:-1], where)
    if isinstance(holder, dict):
        del holder[path[-1]]
    elif isinstance(holder, list):
        del holder[_index(path[-1], len(holder) - 1, where)]
    return document


def _weight(document: object) -> int:
    count, level = 0, [document]
    while level and count <= WEIGHT_LIMIT:
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        count += len(level)
        level = below
    return count


def same(one: object, other: object) -> bool:
    """Equality of JSON, where true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other
