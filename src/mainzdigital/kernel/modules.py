"""What a city module and its collections declare. The registry in config finds, checks, orders and freezes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.entities import ValueType
from mainzdigital.kernel.expression import Expression


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the navigation: English title (a gettext message id), URL name, who sees it."""

    title: str
    url_name: str
    area: str = "main"  # main | footer | account | staff
    permission: str = ""  # empty: everybody
    order: int = 100


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission of the module, `codename` without the module's name, granted to groups by name at start."""

    codename: str
    title: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonalData:
    """Personal data a module holds: model, purpose, legal basis (GDPR Art. 6), days kept (None: account's life)."""

    model: str
    purpose: str
    legal_basis: str
    retention_days: int | None
    subject_field: str


@dataclass(frozen=True, slots=True)
class Column:
    """A typed, published column of a collection."""

    name: str
    type: ValueType
    title: str
    unit: str = ""
    vocabulary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collection:
    """A register as every standard API sees it (architecture §5): frozen, enumerated by store, serve and registers."""

    name: str
    title: str
    relation: str
    columns: tuple[Column, ...]
    access: Expression
    geometry: str = ""
    license: str = ""
    smart_data_model: str = ""
    default_access: AccessClass = AccessClass.INTERNAL


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the module in `city.toml` under `[modules.<slug>]`."""

    name: str
    title: str
    default: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Module:
    """A city module. Titles are English gettext message ids; `strategy` holds ids of the strategy's systems (`P5`)."""

    slug: str
    title: str
    summary: str
    field_of_action: str = ""
    strategy: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    navigation: tuple[Link, ...] = ()
    permissions: tuple[Permission, ...] = ()
    collections: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    personal_data: tuple[PersonalData, ...] = ()
    public_pages: tuple[str, ...] = ()  # URL names open to everybody; all others ask for sign-in and a permission
    signed_in_pages: tuple[str, ...] = ()  # URL names for every account, with whatever roles, about its own things
    checks: Mapping[str, Callable[[], list[str]]] = field(default_factory=dict)
