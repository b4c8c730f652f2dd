"""Resource paths of SensorThings (18-088, 9.2): `Things(1)/Datastreams(2)/name/$value`."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mainzdigital.kernel.entities import EntityType, ValueType
from mainzdigital.kernel.errors import InvalidInput, NotFound
from mainzdigital.store.entities_read import Step
from mainzdigital.store.model import BY_SET_NAME

MAX_STEPS = 20
_WITH_PARTS = frozenset({ValueType.JSON, ValueType.GEOMETRY, ValueType.RESULT})
_PLACE = re.compile(r"\[(\d{1,9})\](?=[\[/]|$)", re.ASCII)  # in a list: `tags[1]` is `tags/1`
_SEGMENT = re.compile(r"(?P<name>[A-Za-z@$][\w.@]*)(?:\((?P<key>[^()]*)\))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """Where a request points. No steps: the service root.

    `property_name` names a property of the last entity and `parts` the way inside its JSON, `value` asks for its bare
    value (`$value`), `ref` for addresses instead of entities (`$ref`), `count` for how many there are (`$count`).
    `text` is the path in canonical form, without leading slash.
    """

    steps: tuple[Step, ...]
    property_name: str = ""
    value: bool = False
    ref: bool = False
    text: str = ""
    parts: tuple[str, ...] = ()
    count: bool = False

    @property
    def entity(self) -> EntityType:
        return self.steps[-1].entity

    @property
    def is_collection(self) -> bool:
        """Does it point to many entities?"""
        if not self.steps or self.property_name or self.count:
            return False
        last = self.steps[-1]
        if last.key is not None:
            return False
        return len(self.steps) == 1 or self.steps[-2].entity.navigations[last.navigation].many


def _key(text: str | None, segment: str) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        key = int(text) if len(text) < 20 else 2**63
    elif (len(text) >= 2 and text[0] == text[-1] == "'") or text == "null":
        key = 2**63  # a key, but of none of our entities
    else:
        raise InvalidInput(
            f"'{text[:40]}' is no id", where=segment[:80], remedy="ids are whole numbers, like Things(1)"
        )
    return key


def _checked(key: int | None, entity: EntityType, segment: str) -> int | None:
    if key is not None and not 0 < key < (2**63 if entity.name == "Observation" else 2**31):
        raise NotFound(f"there is no {segment[:80]}", where=segment[:80])
    return key


def _hint(name: str, known: Iterable[str]) -> str:
    """The name that was probably meant, else all there are."""
    by_fold = {item.casefold(): item for item in known}
    near = difflib.get_close_matches(name.casefold(), by_fold, 1, 0.8)
    return f"did you mean '{by_fold[near[0]]}'?" if near else f"use one of {', '.join(by_fold.values())}"


def parse_path(path: str) -> ResourcePath:
    """Parse a decoded path below the service root; raises NotFound for what cannot exist, InvalidInput for bad form."""
    segments = [segment for segment in _PLACE.sub(r"/\1", path).split("/") if segment]
    if len(segments) > MAX_STEPS:
        raise InvalidInput(f"the path has more than {MAX_STEPS} steps", where="path", remedy="begin at a later entity")
    steps: list[Step] = []
    property_name, value, ref, count = "", False, False, False
    parts: list[str] = []
    for segment in segments:
        if property_name and not value and segment != "$value":
            known_property = steps[-1].entity.properties.get(property_name)
            if known_property is not None and known_property.type in _WITH_PARTS and not segment.startswith("$"):
                parts.append(segment)
                continue
        found = _SEGMENT.fullmatch(segment)
        if found is None:
            raise InvalidInput(
                f"'{segment[:80]}' cannot be read", where="path", remedy="write it like Things(1)/Locations"
            )
        name, key = found["name"], _key(found["key"], segment)
        if value or ref or count:
            raise NotFound(f"nothing comes after {segments[-2][:80]}", where=segment[:80])
        if not steps:
            if name not in BY_SET_NAME:
                raise NotFound(
                    f"there is no collection '{name[:80]}'", where=segment[:80], remedy=_hint(name[:80], BY_SET_NAME)
                )
            steps.append(Step(BY_SET_NAME[name], key=_checked(key, BY_SET_NAME[name], segment)))
            continue
        last = steps[-1]
        many = last.key is None and (len(steps) == 1 or steps[-2].entity.navigations[last.navigation].many)
        if name == "$ref" and key is None and not property_name:
            ref = True
        elif name == "$count" and key is None and many and not property_name:
            count = True
        elif name == "$value" and key is None and property_name:
            value = True
        elif property_name or many:
            raise NotFound(
                f"'{segment[:80]}' leads nowhere from here", where=segment[:80],
                remedy="name one entity before it, like Things(1)/Locations",
            )  # fmt: skip
        elif (navigation := last.entity.navigations.get(name)) is not None:
            target = last.entity.target(navigation)
            if key is not None and not navigation.many:
                raise NotFound(f"'{name}' is a single entity", where=segment[:80], remedy=f"leave out ({key})")
            steps.append(Step(target, name, _checked(key, target, segment)))
        elif name in ("@iot.id", "@iot.selfLink", *last.entity.properties) and key is None:
            property_name = "@iot.id" if name == "id" else name
        else:
            known = sorted({*last.entity.properties, *last.entity.navigations} - {"id"})
            raise NotFound(
                f"{last.entity.name} has no '{name[:80]}'", where=segment[:80], remedy=_hint(name[:80], known)
            )
    return ResourcePath(tuple(steps), property_name, value, ref, "/".join(segments), tuple(parts), count)
