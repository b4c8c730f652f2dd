"""Decode, validate, map, deduplicate, judge, write: the one way in."""
