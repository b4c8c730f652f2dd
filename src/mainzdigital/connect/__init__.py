"""How data arrives and leaves by protocol."""
