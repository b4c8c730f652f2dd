"""People, organisations, roles, tokens, sign-in, audit."""
