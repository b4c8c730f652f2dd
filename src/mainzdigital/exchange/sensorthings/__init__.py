"""OGC SensorThings API 1.1 (18-088) as calls and bytes, without HTTP."""
