"""Decides who may, how long, how good, for what purpose, under which licence; others execute."""
