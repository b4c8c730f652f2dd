"""What a SensorThings path addresses, as far as HTTP has to know: which methods there are, and what is written to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mainzdigital.exchange.sensorthings.path import ResourcePath
from mainzdigital.kernel.entities import EntityType
from mainzdigital.store.model import OBSERVATION

DATA_ARRAY, BATCH = "CreateObservations", "$batch"


class Kind(Enum):
    """What stands at an address."""

    READ = "something to read only"
    SET = "a collection"
    ENTITY = "one entity"
    LINKS = "$ref of a relation to many"
    LINK_OF_MANY = "$ref of one entity of such a relation"
    LINK = "$ref of a relation to one"
    BULK = "CreateObservations or $batch"


METHODS = {
    Kind.READ: ("GET", "HEAD"),
    Kind.SET: ("GET", "HEAD", "POST", "DELETE"),
    Kind.ENTITY: ("GET", "HEAD", "PATCH", "PUT", "DELETE"),
    Kind.LINKS: ("GET", "HEAD", "POST", "DELETE"),
    Kind.LINK_OF_MANY: ("GET", "HEAD", "DELETE"),
    Kind.LINK: ("GET", "HEAD", "PUT", "DELETE"),
    Kind.BULK: ("POST",),
}
# Resources beside the entities: name → methods. serve/openapi/actions.py describes each.
ACTIONS: Mapping[str, tuple[str, ...]] = dict.fromkeys((DATA_ARRAY, BATCH), METHODS[Kind.BULK])


@dataclass(frozen=True, slots=True)
class Target:
    """`entity` is the type written to, None where nothing is; `key` its id where the path alone says it.

    `owner` is the entity whose relation `navigation` is posted to or linked: `owner_path` leads there, `owner_key` is
    its id where that path alone says it.
    """

    kind: Kind
    entity: EntityType | None = None
    key: int | None = None
    owner: EntityType | None = None
    owner_key: int | None = None
    owner_path: str = ""
    navigation: str = ""

    @property
    def methods(self) -> tuple[str, ...]:
        return METHODS[self.kind]


ARRAY = Target(Kind.BULK, OBSERVATION)


def target_of(path: ResourcePath) -> Target:
    """The target of a path."""
    if not path.steps or path.property_name or path.count:
        return Target(Kind.READ)
    if path.ref and len(path.steps) == 1:
        return Target(Kind.READ)
    last = path.steps[-1]
    if not path.is_collection and not path.ref:
        return Target(Kind.ENTITY, last.entity, last.key if len(path.steps) == 1 else None)
    if len(path.steps) == 1:
        return Target(Kind.SET, last.entity)
    before = path.steps[-2]
    text = path.text.removesuffix("/$ref")
    kind = Kind.SET
    if path.ref:
        kind = Kind.LINKS if path.is_collection else Kind.LINK if last.key is None else Kind.LINK_OF_MANY
    return Target(
        kind,
        last.entity,
        key=last.key,
        owner=before.entity,
        owner_key=before.key if len(path.steps) == 2 else None,
        owner_path=text.rpartition("/")[0],
        navigation=last.navigation,
    )
