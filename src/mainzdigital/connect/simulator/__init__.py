"""A simulated city: pure functions of stream and time, seeded, the same in every run. It says that it is one."""
