"""Transport-free services and representations: calls and bytes, no HTTP, no MQTT."""
