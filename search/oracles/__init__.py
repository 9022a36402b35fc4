"""Which trial comes next: oracles by name, their samplers and pruners, and the space they draw from."""
