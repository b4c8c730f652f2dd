"""Shared words of all packages: access, errors, expressions, entities, modules, collections. No Django, no I/O."""
