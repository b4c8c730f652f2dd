"""The SensorThings 1.1 data model (18-088, clause 8) over our tables: the one map from the standard's names to columns.

Observations come from `observation` (see migrations/0002). `select` and `filter` names are those of the standard.
"""

from mainzdigital.kernel.entities import EntityType, Navigation, Property, ValueType

_V = ValueType


def _properties(*items: Property) -> dict[str, Property]:
    return {item.name: item for item in items}


def _navigations(*items: Navigation) -> dict[str, Navigation]:
    return {item.name: item for item in items}


ENTITY_TYPES: dict[str, EntityType] = {}
_ALL_TYPES: dict[str, EntityType] = {}  # with those only access rules know
STREAMS = frozenset({"Datastream", "MultiDatastream"})  # one table, one space of ids

_ID = Property("id", _V.INTEGER, "id", writable=False)
_NAME = Property("name", _V.TEXT, "name", required=True)
_DESCRIPTION = Property("description", _V.TEXT, "description", required=True)
_PROPERTIES = Property("properties", _V.JSON, "properties")

THING = EntityType(
    "Thing", "Things", "thing",
    _properties(_ID, _NAME, _DESCRIPTION, _PROPERTIES),
    _navigations(
        Navigation("Datastreams", "Datastream", many=True, remote="thing_id"),
        Navigation("MultiDatastreams", "MultiDatastream", many=True, remote="thing_id"),
        Navigation("Locations", "Location", many=True, link="thing_location", near="thing_id", far="location_id"),
        Navigation("HistoricalLocations", "HistoricalLocation", many=True, remote="thing_id"),
    ),
    types=_ALL_TYPES,
)  # fmt: skip
LOCATION = EntityType(
    "Location", "Locations", "location",
    _properties(
        _ID, _NAME, _DESCRIPTION, _PROPERTIES,
        Property("encodingType", _V.TEXT, "encoding_type", required=True),
        Property("location", _V.GEOMETRY, "location", required=True),
    ),
    _navigations(
        Navigation("Things", "Thing", many=True, link="thing_location", near="location_id", far="thing_id"),
        Navigation(
            "HistoricalLocations", "HistoricalLocation", many=True,
            link="historical_location_location", near="location_id", far="historical_location_id",
        ),
    ),
    types=_ALL_TYPES,
)  # fmt: skip
HISTORICAL_LOCATION = EntityType(
    "HistoricalLocation", "HistoricalLocations", "historical_location",
    _properties(_ID, Property("time", _V.INSTANT, "time", required=True)),
    _navigations(
        Navigation("Thing", "Thing", many=False, local="thing_id", required=True),
        Navigation(
            "Locations", "Location", many=True,
            link="historical_location_location", near="historical_location_id", far="location_id",
        ),
    ),
    has_access=False,
    types=_ALL_TYPES,
)  # fmt: skip
DATASTREAM = EntityType(
    "Datastream", "Datastreams", "single_datastream",
    _properties(
        _ID, _NAME, _DESCRIPTION, _PROPERTIES,
        Property("observationType", _V.TEXT, "observation_type", required=True),
        Property("unitOfMeasurement", _V.JSON, "unit_of_measurement", required=True),
        Property("observedArea", _V.GEOMETRY, "observed_area"),
        # Kept by the store with every write, from datastream_latest.
        Property("phenomenonTime", _V.TIME, "phenomenon_start", "phenomenon_end", writable=False),
        Property("resultTime", _V.TIME, "result_start", "result_end", writable=False),
    ),
    _navigations(
        Navigation("Thing", "Thing", many=False, local="thing_id", required=True),
        Navigation("Sensor", "Sensor", many=False, local="sensor_id", required=True),
        Navigation("ObservedProperty", "ObservedProperty", many=False, local="observed_property_id", required=True),
        Navigation("Observations", "Observation", many=True, remote="datastream_id"),
    ),
    internal=_navigations(Navigation("defaultFeature", "FeatureOfInterest", many=False, local="foi_id")),
    shared=True,
    types=_ALL_TYPES,
)  # fmt: skip
MULTI_DATASTREAM = EntityType(
    "MultiDatastream", "MultiDatastreams", "multi_datastream",
    _properties(
        _ID, _NAME, _DESCRIPTION, _PROPERTIES,
        # There is one type only: it need not be said.
        Property("observationType", _V.TEXT, "observation_type"),
        Property("multiObservationDataTypes", _V.JSON, "data_types", required=True),
        Property("unitOfMeasurements", _V.JSON, "unit_of_measurement", required=True),
        Property("observedArea", _V.GEOMETRY, "observed_area"),
        Property("phenomenonTime", _V.TIME, "phenomenon_start", "phenomenon_end", writable=False),
        Property("resultTime", _V.TIME, "result_start", "result_end", writable=False),
    ),
    _navigations(
        Navigation("Thing", "Thing", many=False, local="thing_id", required=True),
        Navigation("Sensor", "Sensor", many=False, local="sensor_id", required=True),
        Navigation(
            "ObservedProperties", "ObservedProperty", many=True, link="multi_datastream_observed_property",
            near="datastream_id", far="observed_property_id", position="position",
        ),
        Navigation("Observations", "Observation", many=True, remote="datastream_id"),
    ),
    internal=_navigations(Navigation("defaultFeature", "FeatureOfInterest", many=False, local="foi_id")),
    shared=True,
    types=_ALL_TYPES,
)  # fmt: skip
# What Datastream and MultiDatastream have in common, for access rules. The ObservedProperty of a MultiDatastream is its
# first one here.
STREAM = EntityType(
    "Stream", "Streams", "datastream", _properties(_ID),
    _navigations(
        Navigation("Thing", "Thing", many=False, local="thing_id", required=True),
        Navigation("Sensor", "Sensor", many=False, local="sensor_id", required=True),
        Navigation("ObservedProperty", "ObservedProperty", many=False, local="observed_property_id", required=True),
    ),
    internal=_navigations(Navigation("defaultFeature", "FeatureOfInterest", many=False, local="foi_id")),
    types=_ALL_TYPES,
)  # fmt: skip
SENSOR = EntityType(
    "Sensor", "Sensors", "sensor",
    _properties(
        _ID, _NAME, _DESCRIPTION, _PROPERTIES,
        Property("encodingType", _V.TEXT, "encoding_type", required=True),
        Property("metadata", _V.JSON, "metadata", required=True),
    ),
    _navigations(
        Navigation("Datastreams", "Datastream", many=True, remote="sensor_id"),
        Navigation("MultiDatastreams", "MultiDatastream", many=True, remote="sensor_id"),
    ),
    types=_ALL_TYPES,
)  # fmt: skip
OBSERVED_PROPERTY = EntityType(
    "ObservedProperty", "ObservedProperties", "observed_property",
    _properties(_ID, _NAME, _DESCRIPTION, _PROPERTIES, Property("definition", _V.TEXT, "definition", required=True)),
    _navigations(
        Navigation("Datastreams", "Datastream", many=True, remote="observed_property_id"),
        Navigation(
            "MultiDatastreams", "MultiDatastream", many=True, link="multi_datastream_observed_property",
            near="observed_property_id", far="datastream_id",
        ),
    ),
    types=_ALL_TYPES,
)  # fmt: skip
FEATURE_OF_INTEREST = EntityType(
    "FeatureOfInterest", "FeaturesOfInterest", "feature_of_interest",
    _properties(
        _ID, _NAME, _DESCRIPTION, _PROPERTIES,
        Property("encodingType", _V.TEXT, "encoding_type", required=True),
        Property("feature", _V.GEOMETRY, "feature", required=True),
    ),
    _navigations(Navigation("Observations", "Observation", many=True, remote="foi_id", through="stream")),
    types=_ALL_TYPES,
)  # fmt: skip
OBSERVATION = EntityType(
    "Observation", "Observations", "observation",
    _properties(
        _ID,
        Property("phenomenonTime", _V.TIME, "phenomenon_time", "end"),
        Property("result", _V.RESULT, "number", required=True),
        Property("resultTime", _V.INSTANT, "result_time"),
        Property("resultQuality", _V.JSON, "quality"),
        Property("validTime", _V.TIME, "valid_start", "valid_end"),
        Property("parameters", _V.JSON, "parameters"),
    ),
    _navigations(
        Navigation("Datastream", "Datastream", many=False, local="datastream_id", partial=True),
        Navigation("MultiDatastream", "MultiDatastream", many=False, local="datastream_id", partial=True),
        Navigation("FeatureOfInterest", "FeatureOfInterest", many=False, local="foi_id", through="stream"),
    ),
    has_access=False,
    default_order=("phenomenonTime",),
    internal=_navigations(
        Navigation("ownFeature", "FeatureOfInterest", many=False, local="foi_id"),
        Navigation("stream", "Stream", many=False, local="datastream_id", required=True),
        Navigation(
            "streamProperties", "ObservedProperty", many=True, local="datastream_id",
            link="multi_datastream_observed_property", near="datastream_id", far="observed_property_id",
        ),
    ),
    types=_ALL_TYPES,
)  # fmt: skip

ENTITY_TYPES |= {
    item.name: item
    for item in (
        THING, LOCATION, HISTORICAL_LOCATION, DATASTREAM, MULTI_DATASTREAM, SENSOR, OBSERVED_PROPERTY,
        FEATURE_OF_INTEREST, OBSERVATION,
    )
}  # fmt: skip
_ALL_TYPES |= {**ENTITY_TYPES, STREAM.name: STREAM}
BY_SET_NAME: dict[str, EntityType] = {item.set_name: item for item in ENTITY_TYPES.values()}
