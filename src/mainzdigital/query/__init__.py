"""One filter tree, its syntaxes and its reference evaluator."""
