"""The paths of SensorThings: for each the router is asked which methods it has there."""

import re
from collections.abc import Iterator
from typing import Any

from mainzdigital.exchange.sensorthings.deep import INVERSE, scope_for
from mainzdigital.exchange.sensorthings.formats import CSV_TYPE, GEOJSON_TYPE
from mainzdigital.exchange.sensorthings.path import ResourcePath, parse_path
from mainzdigital.kernel.entities import EntityType
from mainzdigital.serve.http import JSON_TYPE
from mainzdigital.serve.openapi.actions import DESCRIBED
from mainzdigital.serve.openapi.parts import content, parameter, refused
from mainzdigital.serve.openapi.schemas import EXAMPLES, creation, ref, replacement
from mainzdigital.serve.sensorthings import MOUNT
from mainzdigital.serve.sensorthings.target import ACTIONS, target_of
from mainzdigital.store.model import ENTITY_TYPES

_PATCH_TYPE = "application/json-patch+json"
_PAGE = ("filter", "orderby", "top", "skip", "count")
_VERBS = {
    "GET": "Read", "HEAD": "Headers of", "POST": "Create in", "PATCH": "Change", "PUT": "Replace", "DELETE": "Delete",
}  # fmt: skip
_TEMPLATE = re.compile(r"\{(\w+)\}")


def tags() -> list[dict[str, str]]:
    """The entity types, and the service itself."""
    return [
        {"name": "SensorThings", "description": "The service root and what concerns several entity types"},
        *({"name": entity.set_name, "description": f"The {entity.name} entities"} for entity in ENTITY_TYPES.values()),
    ]


def templates() -> Iterator[str]:
    """Paths below the mount, with `{id}`, `{innerId}` and `{property}` for what varies; two levels deep."""
    yield ""
    for entity in ENTITY_TYPES.values():
        one = f"{entity.set_name}({{id}})"
        yield from (entity.set_name, f"{entity.set_name}/$ref", f"{entity.set_name}/$count")
        yield from (one, f"{one}/$ref", f"{one}/{{property}}", f"{one}/{{property}}/$value")
        for name, navigation in entity.navigations.items():
            yield from (f"{one}/{name}", f"{one}/{name}/$ref")
            if navigation.many:
                yield from (f"{one}/{name}/$count", f"{one}/{name}({{innerId}})", f"{one}/{name}({{innerId}})/$ref")
            else:
                yield from (f"{one}/{name}/{inner}" for inner in entity.target(navigation).navigations)


def example(template: str) -> str:
    """A path of the form of a template, as a client may send it."""
    first = template.partition("(")[0]
    entity = next((item for item in ENTITY_TYPES.values() if item.set_name == first), None)
    attribute = "" if entity is None else property_names(entity)[0]
    return template.replace("{id}", "1").replace("{innerId}", "1").replace("{property}", attribute)


def property_names(entity: EntityType) -> list[str]:
    return ["@iot.id", *(name for name in entity.properties if name != "id")]


def paths(*, open_write: bool) -> dict[str, Any]:
    """The `paths` of the document."""
    found: dict[str, Any] = {}
    for template in templates():
        parsed = parse_path(example(template))
        found[f"{MOUNT}/{template}".rstrip("/")] = _item(template, parsed, open_write=open_write)
    for name, methods in ACTIONS.items():
        found[f"{MOUNT}/{name}"] = {method.lower(): DESCRIBED[name, method] for method in methods}
    return found


def _item(template: str, path: ResourcePath, *, open_write: bool) -> dict[str, Any]:
    item: dict[str, Any] = {}
    if names := _TEMPLATE.findall(template):
        item["parameters"] = [parameter(name) if name != "property" else _property(path.entity) for name in names]
    for method in target_of(path).methods:
        made = _read(template, path) if method in {"GET", "HEAD"} else _write(path, method)
        made["summary"] = f"{_VERBS[method]} {template or 'the service root'}"
        made["tags"] = [path.steps[0].entity.set_name if path.steps else "SensorThings"]
        made["operationId"] = method.lower() + _identifier(template)
        if method == "HEAD":
            # The same head as GET, and never a body.
            made["responses"] = {status: {"description": "As GET, without the body"} for status in made["responses"]}
        elif method != "GET":
            made["security"] = [{}, {"apiKey": []}] if open_write else [{"apiKey": []}]
        item[method.lower()] = made
    return item


def _identifier(template: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.findall(r"[A-Za-z]+", template)) or "Root"


def _property(entity: EntityType) -> dict[str, Any]:
    names = property_names(entity)
    return {
        "name": "property", "in": "path", "required": True, "description": "A property of the entity",
        "schema": {"type": "string", "enum": names}, "example": names[0],
    }  # fmt: skip


def _read(template: str, path: ResourcePath) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "As asked for"}
    extra: dict[str, Any] = {}
    options: tuple[str, ...] = ()
    if not path.steps:
        answer["content"] = content((JSON_TYPE, ref("ServiceRoot")))
    elif path.count:
        options = ("filter",)
        answer["content"] = content(("text/plain", {"type": "string", "pattern": "^[0-9]+$"}))
    elif path.ref:
        options = (*_PAGE, "skiptoken") if template.count("/") == 1 and "(" not in template else ()
        options = (*_PAGE, "skiptoken") if _collection(template) else options
        answer["content"] = content((JSON_TYPE, ref("ReferencePage" if options else "Reference")))
    elif path.property_name:
        extra = {"204": {"description": "The property has no value"}}
        answer["content"] = content((JSON_TYPE, ref("PropertyValue")))
        if path.value:
            answer["content"] = content(("text/plain", {"type": "string"}), (JSON_TYPE, {}), (GEOJSON_TYPE, {}))
    else:
        name, collection = path.entity.name, path.is_collection
        formats = "observationFormat" if collection and name == "Observation" else "resultFormat"
        options = (*(_PAGE if collection else ()), "select", "expand", formats, *(("skiptoken",) if collection else ()))
        shown = ref(f"{name}Page") if collection else ref(name)
        if formats == "observationFormat":
            shown = {"anyOf": [shown, ref("DataArray")]}
        answer["content"] = content(
            (JSON_TYPE, shown), (CSV_TYPE, {"type": "string"}), (GEOJSON_TYPE, ref("FeatureCollection"))
        )
    headers = {"ETag": {"description": "The entity tag", "schema": {"type": "string"}}}
    return {
        "parameters": [*map(parameter, options), parameter("ifNoneMatch")],
        "responses": {"200": {**answer, "headers": headers}, **extra, **refused()},
    }


def _collection(template: str) -> bool:
    """Whether a `…/$ref` template asks for the addresses of many."""
    return parse_path(example(template).removesuffix("/$ref")).is_collection


def _relate(path: ResourcePath, method: str) -> dict[str, Any]:
    """`$ref`: relations made and dissolved (OData 4.0, 11.4.6)."""
    changed = path.steps[-1 if path.is_collection or path.steps[-1].key else -2].entity
    made: dict[str, Any] = {
        "description": f"Takes a key of scope `{scope_for(changed.name)}`. What an entity cannot be without is "
        "replaced, not dissolved (409).",
        "responses": {"204": {"description": "Done"}, **refused(writes=True)},
    }
    if method == "DELETE":
        made["parameters"] = [parameter("reference")] if path.is_collection else []
    else:
        made["requestBody"] = {"required": True, "content": {JSON_TYPE: {"schema": ref("ToEntity")}}}
    return made


def _write(path: ResourcePath, method: str) -> dict[str, Any]:
    if path.ref:
        return _relate(path, method)
    entity = path.entity
    made: dict[str, Any] = {"description": f"Takes a key of scope `{scope_for(entity.name)}`."}
    told = {"description": "Done", "content": content((JSON_TYPE, ref("Written")))}
    if method == "DELETE":
        made["parameters"] = [parameter("meant")]
        if not path.is_collection:
            made["parameters"] = [parameter("ifMatch"), parameter("ifNoneMatch")]
        made["responses"] = {"200": {"description": "Deleted, with what cannot be without it"}, **refused(writes=True)}
        return made
    if method == "POST":
        owner = path.steps[-2].entity.name if len(path.steps) > 1 else ""
        below = (owner, path.steps[-1].navigation) if owner else None
        settled = INVERSE.get(below, "") if below else ""
        example = {name: value for name, value in EXAMPLES[entity.name].items() if name != settled}
        body = {JSON_TYPE: {"schema": creation(entity, below=below), "example": example}}
        location = {"Location": {"description": "The new entity", "schema": {"type": "string", "format": "uri"}}}
        made["parameters"] = [parameter("idempotencyKey")] if entity.name == "Observation" else []
        made["responses"] = {"201": {**told, "description": "Created", "headers": location}, **refused(writes=True)}
    else:
        made["parameters"] = [parameter("ifMatch"), parameter("ifNoneMatch")]
        own = {name: value for name, value in EXAMPLES[entity.name].items() if name in entity.properties}
        example = own if method == "PUT" else dict([next(iter(own.items()))])
        changed = replacement(entity) if method == "PUT" else ref(f"{entity.name}Change")
        body = {JSON_TYPE: {"schema": changed, "example": example}}
        if method == "PATCH":
            body[_PATCH_TYPE] = {"schema": ref("JsonPatch")}
        made["responses"] = {"200": told, **refused(writes=True)}
    made["requestBody"] = {"required": True, "content": body}
    return made
