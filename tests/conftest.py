"""How hard the property tests look: few examples by default, the full count in `make soak`."""

import os

from hypothesis import HealthCheck, settings

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("default", deadline=None, derandomize=True, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile("soak", deadline=None, max_examples=1_000, suppress_health_check=_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
