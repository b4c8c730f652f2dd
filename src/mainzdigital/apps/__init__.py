"""The city modules, one flat package each."""
