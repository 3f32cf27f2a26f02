"""The only door outward: every store, host and gateway is reached from here and nowhere else."""
