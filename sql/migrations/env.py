"""How Alembic reaches the register: the URL comes from the caller, the target from connectors.register_tables."""

from alembic import context

from connectors.register import open_engine
from connectors.register_tables import metadata

url = context.config.get_main_option("sqlalchemy.url")
assert url is not None
# Under the register's lock: of two that start at once the second finds the work done.
engine = open_engine(url)
try:
    with engine.begin() as connection:
        # Batch mode: SQLite changes a table by copying it.
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
finally:
    engine.dispose()
