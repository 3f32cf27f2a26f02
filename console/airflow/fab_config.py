"""What FAB loads as its configuration file (AIRFLOW__FAB__CONFIG_FILE): capitals of this module are its settings."""

from connectors.settings import home_from_environment
from console.airflow.directory import fab_settings

globals().update(fab_settings(home_from_environment()))
