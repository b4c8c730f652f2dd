"""The only package that contains SQL. Its functions take a connection and leave the transaction to the caller."""
