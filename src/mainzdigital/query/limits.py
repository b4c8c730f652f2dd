"""How much a query may ask of the parser, the planner and the database; the operator may set it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Levels and parts of one expression of $filter or $orderby; levels and items of $expand in one request."""

    filter_depth: int = 48
    filter_parts: int = 400
    expand_depth: int = 6
    expand_items: int = 30


STANDARD = QueryLimits()
