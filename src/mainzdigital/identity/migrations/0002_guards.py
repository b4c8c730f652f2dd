"""What the database itself keeps: an audit log that nobody alters, the announcement of revoked keys, the cache's table.

Audit rows may be deleted only after a year, so that retention is possible and covering up is not.
"""

from django.db import migrations

SQL = """
CREATE FUNCTION audit_event_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND OLD.at < now() - interval '1 year' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_event_guard BEFORE UPDATE OR DELETE ON audit_event
  FOR EACH ROW EXECUTE FUNCTION audit_event_guard();

CREATE FUNCTION city_keys_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'api_key' THEN
    PERFORM pg_notify('city_keys', OLD.digest);
  ELSE
    PERFORM pg_notify('city_keys', '');
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER api_key_changed AFTER UPDATE OF digest, scope, expires, revoked, owner_id OR DELETE ON api_key
  FOR EACH ROW EXECUTE FUNCTION city_keys_notify();
CREATE TRIGGER account_changed AFTER UPDATE OF is_active ON account
  FOR EACH ROW WHEN (OLD.is_active IS DISTINCT FROM NEW.is_active) EXECUTE FUNCTION city_keys_notify();

-- Django's database cache (createcachetable's form), here for rate limits that all web processes share.
CREATE UNLOGGED TABLE cache_entry (
  cache_key varchar(255) NOT NULL PRIMARY KEY,
  value text NOT NULL,
  expires timestamptz NOT NULL
);
CREATE INDEX cache_entry_expires ON cache_entry (expires);
"""

REVERSE = """
DROP TABLE cache_entry;
DROP TRIGGER account_changed ON account;
DROP TRIGGER api_key_changed ON api_key;
DROP TRIGGER audit_event_guard ON audit_event;
DROP FUNCTION city_keys_notify, audit_event_guard;
"""


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]
    operations = [migrations.RunSQL(SQL, REVERSE)]
