"""Models over the data; results go back in through ingest, with provenance."""
