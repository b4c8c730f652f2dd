"""Observations and what follows from them: latest value, rollups, change log, idempotency (architecture §11)."""

from django.db import migrations

SQL = """
-- A process takes ids in blocks of 4096 (store.ids); 40 bits are left for them beside the month.
CREATE SEQUENCE observation_sequence INCREMENT BY 4096 MAXVALUE 1099511623680;

CREATE TABLE observation (
  id bigint NOT NULL,                    -- (month since 1600) << 40 | sequence: names its partition, safe in JavaScript
  phenomenon_time timestamptz NOT NULL,  -- start, where it is an interval
  number float8,                         -- the result, where it is a number
  result_time timestamptz,
  datastream_id int NOT NULL,
  foi_id int,                            -- NULL: the datastream's feature of interest
  seq smallint NOT NULL DEFAULT 0,       -- tells observations of the same instant apart, in the order of writing
  more jsonb,                            -- {end, result, quality, valid_start, valid_end, parameters, key}
  PRIMARY KEY (datastream_id, phenomenon_time, seq)
) PARTITION BY RANGE (phenomenon_time);
CREATE INDEX observation_id ON observation USING brin (id int8_minmax_multi_ops) WITH (pages_per_range = 64);
-- Nearly empty: most observations have the feature of their datastream.
CREATE INDEX observation_foi ON observation (foi_id, phenomenon_time) WHERE foi_id IS NOT NULL;

-- While months are merged into a year (store.partitions_merge), a trigger notes what changes in them meanwhile.
CREATE FUNCTION note_observation_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    EXECUTE format('INSERT INTO %I VALUES ($1, $2)', TG_ARGV[0]) USING OLD.datastream_id, OLD.phenomenon_time;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    EXECUTE format('INSERT INTO %I VALUES ($1, $2)', TG_ARGV[0]) USING NEW.datastream_id, NEW.phenomenon_time;
  END IF;
  RETURN NULL;
END $$;

-- The city's time zone, by which days are cut; store.zone changes it and marks what follows from it.
CREATE FUNCTION city_zone() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'Europe/Berlin';

-- Where an observation went whose phenomenonTime was changed out of the partition its id names.
CREATE TABLE observation_moved (
  id bigint PRIMARY KEY,
  datastream_id int NOT NULL,
  phenomenon_time timestamptz NOT NULL
);

CREATE TABLE datastream_latest (
  datastream_id int PRIMARY KEY,
  id bigint NOT NULL,
  phenomenon_time timestamptz NOT NULL,
  number float8,
  result_time timestamptz,
  foi_id int,
  seq smallint NOT NULL,
  more jsonb,
  phenomenon_start timestamptz NOT NULL, -- extent over all observations of the datastream
  phenomenon_end timestamptz NOT NULL,
  result_start timestamptz,
  result_end timestamptz,
  intervals boolean NOT NULL,            -- some phenomenon time was an interval: the end of the extent needs a scan
  features boolean NOT NULL              -- some observation named a feature of its own: who sees it is asked per row
) WITH (fillfactor = 60);                -- updated with every write, hence room for it on the page

-- bucket: start of the hour or of the day in the city's time zone. Numeric results only.
CREATE TABLE rollup_hour (
  datastream_id int NOT NULL,
  bucket timestamptz NOT NULL,
  count int NOT NULL,
  sum float8 NOT NULL,
  min float8 NOT NULL,
  max float8 NOT NULL,
  last float8 NOT NULL,
  PRIMARY KEY (datastream_id, bucket)
) WITH (fillfactor = 85);
CREATE TABLE rollup_day (LIKE rollup_hour INCLUDING ALL) WITH (fillfactor = 85);

-- Hours whose rollup is not recomputed yet; answers read their raw rows.
CREATE TABLE rollup_stale (
  datastream_id int NOT NULL,
  bucket timestamptz NOT NULL,
  PRIMARY KEY (datastream_id, bucket)
);

-- One row per batch; NOTIFY city_change carries its id.
CREATE TABLE change_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  kind text NOT NULL,                    -- insert | update | delete; observations: what was written to datastreams
  entity text NOT NULL,                  -- the name of the entity type; Datastream for `observations`
  ids bigint[] NOT NULL,
  details jsonb
);
CREATE INDEX change_log_at ON change_log USING brin (at);

-- Batches taken under an explicit key: the same key twice is one batch.
CREATE TABLE ingest_key (
  key text PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  result jsonb NOT NULL
);
CREATE INDEX ingest_key_at ON ingest_key (at);

-- How far a file has been read: rows committed and the position to go on from stand in one transaction.
CREATE TABLE file_progress (
  source text NOT NULL,
  sha256 text NOT NULL,
  name text NOT NULL,
  position bigint NOT NULL,
  rows_read bigint NOT NULL,
  rows_rejected bigint NOT NULL,
  finished timestamptz,
  started timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, sha256)
);

CREATE INDEX location_box ON location USING gist (box);
CREATE INDEX feature_of_interest_box ON feature_of_interest USING gist (box);
"""

REVERSE = """
DROP TABLE observation, observation_moved, datastream_latest, rollup_hour, rollup_day, rollup_stale, change_log,
           ingest_key, file_progress;
DROP SEQUENCE observation_sequence;
DROP FUNCTION city_zone();
DROP FUNCTION note_observation_change();
DROP INDEX location_box, feature_of_interest_box;
"""


class Migration(migrations.Migration):
    dependencies = [("schema", "0001_initial")]
    operations = [migrations.RunSQL(SQL, REVERSE)]
