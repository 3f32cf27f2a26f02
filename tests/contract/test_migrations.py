"""The migrations make exactly the tables that the code knows, and take them away again."""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect

from connectors.register_tables import metadata
from console.commands.instance import migrations_folder


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("sqlalchemy.url", url)
    return config


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


def test_an_empty_register_is_brought_to_exactly_the_tables_of_the_code(register_url: str) -> None:
    engine = create_engine(register_url)
    assert len(differences(engine)) == len(metadata.tables)
    command.upgrade(alembic_config(register_url), "head")
    assert differences(engine) == []
    engine.dispose()


def test_keys_and_unique_columns_are_those_of_the_code(register_url: str) -> None:
    """compare_metadata looks neither at primary keys nor, on SQLite, at unique constraints without a name."""
    command.upgrade(alembic_config(register_url), "head")
    engine = create_engine(register_url)
    made = inspect(engine)
    fresh = create_engine("sqlite://")
    metadata.create_all(fresh)
    wanted = inspect(fresh)
    for table in metadata.tables:
        assert made.get_pk_constraint(table)["constrained_columns"] == wanted.get_pk_constraint(table)["constrained_columns"]
        unique = [[u["column_names"] for u in found.get_unique_constraints(table)] for found in (made, wanted)]
        assert unique[0] == unique[1], table
    engine.dispose()
    fresh.dispose()


def test_downgrading_leaves_nothing_and_upgrading_again_works(register_url: str) -> None:
    config = alembic_config(register_url)
    command.upgrade(config, "head")
    command.downgrade(config, "base")
    engine = create_engine(register_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    command.upgrade(config, "head")
    assert differences(engine) == []
    engine.dispose()
