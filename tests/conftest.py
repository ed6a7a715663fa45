"""Settings for all tests."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.postgres_server"]

# Machines differ: how long an example takes says nothing about whether it is right.
settings.register_profile("penstock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("penstock")
