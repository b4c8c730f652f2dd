"""The data APIs over HTTP, one package per standard."""
