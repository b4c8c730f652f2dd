"""SensorThings API 1.1 (OGC 18-088) without a transport: paths, reading, writing, representations."""

from dataclasses import dataclass

DEFAULT_TOP = 100  # entities of a page when the request does not say
MAX_TOP = 10_000  # entities of a page at most
MAX_GEOMETRIES = 200_000
MAX_EXPANDED = 100_000  # related entities of one level of $expand at most; the rest is behind @iot.nextLink


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one read may show and look at.

    Entities of a page without and with $top, in $expand too; related entities of one level of $expand; stored
    geometries that one geospatial function looks at.
    """

    page: int = DEFAULT_TOP
    top: int = MAX_TOP
    expanded: int = MAX_EXPANDED
    geometries: int = MAX_GEOMETRIES

    def rows(self, top: int | None) -> int:
        """How many entities a $top gets."""
        return self.page if top is None else min(top, self.top)


STANDARD = ReadLimits()


# Classes and requirements of 18-088 that reading fulfils.
READING = tuple(
    f"http://www.opengis.net/spec/iot_sensing/1.1/req/{name}"
    for name in (
        "datamodel",
        "multi-datastream",
        "resource-path",
        "resource-path/resource-path-to-entities",
        "request-data",
        "request-data/order",
        "request-data/expand",
        "request-data/select",
        "request-data/orderby",
        "request-data/top",
        "request-data/skip",
        "request-data/count",
        "request-data/filter",
        "request-data/built-in-filter-operations",
        "request-data/built-in-query-functions",
        "request-data/pagination",
        "request-data/status-code",
        "request-data/query-status-code",
    )
)
