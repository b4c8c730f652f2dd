"""The server of tests/serve: `server` (its addresses), `keys`, and clients by what they may do."""

from tests.serve.fixtures import anonymous, keys, manager, open_process, process, server, writer

__all__ = ["anonymous", "keys", "manager", "open_process", "process", "server", "writer"]
