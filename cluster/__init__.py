"""Runs the real parts on one machine without containers: what `make cluster-up`, `make up` and the tests start and stop."""
