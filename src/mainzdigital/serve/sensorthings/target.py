"""What a SensorThings path addresses, as far as HTTP has to know: which methods there are, and what is written to."""

from collections.abc import Mapping
from dataclasses import dataclass

from mainzdigital.exchange.sensorthings.path import ResourcePath
from mainzdigital.kernel.entities import EntityType

# Resources beside the entities: name → methods. serve/openapi/actions.py describes each.
ACTIONS: Mapping[str, tuple[str, ...]] = {}
READ = ("GET", "HEAD")
SET = ("GET", "HEAD", "POST")
ENTITY = ("GET", "HEAD", "PATCH", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class Target:
    """`entity` is the type written to, None where nothing is; `key` its id where the path alone says it.

    `owner` is the entity whose relation `navigation` is posted to: `owner_path` leads there, `owner_key` is its id
    where that path alone says it.
    """

    methods: tuple[str, ...]
    entity: EntityType | None = None
    key: int | None = None
    owner: EntityType | None = None
    owner_key: int | None = None
    owner_path: str = ""
    navigation: str = ""


def target_of(path: ResourcePath) -> Target:
    """The target of a path."""
    if not path.steps or path.property_name or path.ref:
        return Target(READ)
    last = path.steps[-1]
    if not path.is_collection:
        return Target(ENTITY, last.entity, last.key if len(path.steps) == 1 else None)
    if len(path.steps) == 1:
        return Target(SET, last.entity)
    before = path.steps[-2]
    return Target(
        SET,
        last.entity,
        owner=before.entity,
        owner_key=before.key if len(path.steps) == 2 else None,
        owner_path=path.text.rpartition("/")[0],
        navigation=last.navigation,
    )
