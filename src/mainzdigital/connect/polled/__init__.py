"""Sources on the web that are asked again and again, by `mainzdigital ingest`."""
