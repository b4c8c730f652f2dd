"""The tables of the data core: models and migrations, nothing else."""
