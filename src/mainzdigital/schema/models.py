"""Metadata of OGC SensorThings 1.1 (18-088, clause 8). Observations are made by a SQL migration.

Geometry is kept thrice: the JSON as it came, WKB for exact predicates, `box` for the index. No reader of these models
writes through them: traffic goes through `store`.
"""

from django.db import models
from django.db.models.functions import Now

from mainzdigital.kernel.access import AccessClass
from mainzdigital.schema.fields import BoxField

ACCESS_CHOICES = [(item.value, item.value) for item in AccessClass]


class Entity(models.Model):
    name = models.TextField()
    description = models.TextField()
    properties = models.JSONField(null=True, blank=True)
    access = models.CharField(max_length=10, choices=ACCESS_CHOICES, default=AccessClass.INTERNAL.value)
    changed = models.DateTimeField(auto_now=True, db_default=Now())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


def _known_access(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q(access__in=[item.value for item in AccessClass]), name=name)


class Location(Entity):
    encoding_type = models.TextField()
    location = models.JSONField()
    geometry = models.BinaryField(null=True)
    box = BoxField(null=True)

    class Meta:
        db_table = "location"
        constraints = [_known_access("location_access_known")]


class Thing(Entity):
    locations = models.ManyToManyField(Location, through="ThingLocation", related_name="things")

    class Meta:
        db_table = "thing"
        constraints = [_known_access("thing_access_known")]


class ThingLocation(models.Model):
    """Where a thing is now; where it was stands in HistoricalLocation."""

    thing = models.ForeignKey(Thing, on_delete=models.CASCADE)
    location = models.ForeignKey(Location, on_delete=models.CASCADE)

    class Meta:
        db_table = "thing_location"
        constraints = [models.UniqueConstraint(fields=["thing", "location"], name="thing_location_once")]

    def __str__(self) -> str:
        return f"{self.thing_id} @ {self.location_id}"


class HistoricalLocation(models.Model):
    thing = models.ForeignKey(Thing, on_delete=models.CASCADE)
    time = models.DateTimeField()
    locations = models.ManyToManyField(
        Location, through="HistoricalLocationLocation", related_name="historical_locations"
    )

    class Meta:
        db_table = "historical_location"

    def __str__(self) -> str:
        return f"{self.thing_id} @ {self.time}"


class HistoricalLocationLocation(models.Model):
    historical_location = models.ForeignKey(HistoricalLocation, on_delete=models.CASCADE)
    location = models.ForeignKey(Location, on_delete=models.CASCADE)

    class Meta:
        db_table = "historical_location_location"
        constraints = [
            models.UniqueConstraint(fields=["historical_location", "location"], name="historical_location_once")
        ]

    def __str__(self) -> str:
        return f"{self.historical_location_id} @ {self.location_id}"


class Sensor(Entity):
    encoding_type = models.TextField()
    metadata = models.JSONField()

    class Meta:
        db_table = "sensor"
        constraints = [_known_access("sensor_access_known")]


class ObservedProperty(Entity):
    definition = models.TextField()

    class Meta:
        db_table = "observed_property"
        constraints = [_known_access("observed_property_access_known")]


class FeatureOfInterest(Entity):
    encoding_type = models.TextField()
    feature = models.JSONField()
    geometry = models.BinaryField(null=True)
    box = BoxField(null=True)

    class Meta:
        db_table = "feature_of_interest"
        constraints = [_known_access("feature_of_interest_access_known")]


class Datastream(Entity):
    """A Datastream, or where `multi` is set a MultiDatastream: ADR 0017.

    The unit of a MultiDatastream is a list; its observed properties stand in MultiDatastreamObservedProperty, the first
    of them here too.
    """

    observation_type = models.TextField()
    unit_of_measurement = models.JSONField()
    observed_area = models.JSONField(null=True)
    thing = models.ForeignKey(Thing, on_delete=models.CASCADE, related_name="datastreams")
    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="datastreams")
    observed_property = models.ForeignKey(ObservedProperty, on_delete=models.CASCADE, related_name="datastreams")
    # The feature of observations that name none: made from the thing's location (18-088, 10.1.4.3).
    foi = models.ForeignKey(FeatureOfInterest, on_delete=models.SET_NULL, null=True, related_name="+")
    multi = models.BooleanField(default=False, db_default=False)
    data_types = models.JSONField(null=True)

    class Meta:
        db_table = "datastream"
        constraints = [
            _known_access("datastream_access_known"),
            models.CheckConstraint(
                condition=models.Q(multi=False) | models.Q(data_types__isnull=False), name="datastream_multi_typed"
            ),
        ]


class MultiDatastreamObservedProperty(models.Model):
    """The observed property at one position of the results of a MultiDatastream."""

    datastream = models.ForeignKey(Datastream, on_delete=models.CASCADE, related_name="+")
    observed_property = models.ForeignKey(ObservedProperty, on_delete=models.CASCADE, related_name="+")
    position = models.SmallIntegerField()

    class Meta:
        db_table = "multi_datastream_observed_property"
        constraints = [
            models.UniqueConstraint(fields=["datastream", "observed_property"], name="multi_datastream_property_once"),
            models.UniqueConstraint(fields=["datastream", "position"], name="multi_datastream_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.datastream_id}[{self.position}]"
