"""Observations as Parquet, out and in again."""
