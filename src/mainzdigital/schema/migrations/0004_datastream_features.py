"""Which features of interest the observations of a datastream name themselves: observedArea follows from them."""

from django.db import migrations

TABLE = """
CREATE TABLE datastream_feature (
  datastream_id int NOT NULL REFERENCES datastream ON DELETE CASCADE,
  foi_id int NOT NULL REFERENCES feature_of_interest ON DELETE CASCADE,
  PRIMARY KEY (datastream_id, foi_id)
);
CREATE INDEX datastream_feature_foi ON datastream_feature (foi_id);
INSERT INTO datastream_feature SELECT DISTINCT o.datastream_id, o.foi_id FROM observation o
  JOIN datastream d ON d.id = o.datastream_id JOIN feature_of_interest f ON f.id = o.foi_id;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("schema", "0003_multi_datastreams"),
    ]

    operations = [migrations.RunSQL(TABLE, "DROP TABLE datastream_feature")]
