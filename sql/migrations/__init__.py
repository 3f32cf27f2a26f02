"""Alembic's environment for the register."""
