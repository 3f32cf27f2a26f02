"""How hard the property tests look (few examples by default, the full count in `make soak`), and the real servers' fixtures."""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

_KIT = Path(__file__).parent / "kit"
sys.path.insert(0, str(_KIT))
# Each of the real ones starts its server when a test first asks for it, once for the whole run.
pytest_plugins = ["airflow_process", *(path.stem for path in sorted(_KIT.glob("real_*.py")))]

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("default", deadline=None, derandomize=True, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile("soak", deadline=None, max_examples=1_000, suppress_health_check=_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
