"""The register's migrations (Alembic). ``custody init`` brings a register to the newest."""
