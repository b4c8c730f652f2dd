"""MultiDatastreams: they share table and ids with Datastreams (ADR 0017); two views tell them apart."""

import django.db.models.deletion
from django.db import migrations, models

VIEWS = """
CREATE VIEW single_datastream AS SELECT * FROM datastream WHERE NOT multi;
CREATE VIEW multi_datastream AS SELECT * FROM datastream WHERE multi;
-- Rows are inserted through the view.
ALTER VIEW multi_datastream ALTER COLUMN multi SET DEFAULT true;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("schema", "0002_observations"),
    ]

    operations = [
        migrations.CreateModel(
            name="MultiDatastreamObservedProperty",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.SmallIntegerField()),
            ],
            options={
                "db_table": "multi_datastream_observed_property",
            },
        ),
        migrations.AddField(
            model_name="datastream",
            name="data_types",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="datastream",
            name="multi",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddConstraint(
            model_name="datastream",
            constraint=models.CheckConstraint(
                condition=models.Q(("multi", False), ("data_types__isnull", False), _connector="OR"),
                name="datastream_multi_typed",
            ),
        ),
        migrations.AddField(
            model_name="multidatastreamobservedproperty",
            name="datastream",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="schema.datastream"
            ),
        ),
        migrations.AddField(
            model_name="multidatastreamobservedproperty",
            name="observed_property",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="schema.observedproperty"
            ),
        ),
        migrations.AddConstraint(
            model_name="multidatastreamobservedproperty",
            constraint=models.UniqueConstraint(
                fields=("datastream", "observed_property"), name="multi_datastream_property_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="multidatastreamobservedproperty",
            constraint=models.UniqueConstraint(
                fields=("datastream", "position"), name="multi_datastream_position_once"
            ),
        ),
        migrations.RunSQL(VIEWS, "DROP VIEW single_datastream, multi_datastream"),
    ]
