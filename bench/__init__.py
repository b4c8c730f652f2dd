"""What the platform reaches, each beside its limit, in the same run: `make bench ARGS="--rows 5000000"`."""
