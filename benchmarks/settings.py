"""The platform's local settings for a measurement: quiet, with limits that a load doesn't reach."""

from config.settings.local import *  # noqa: F403
from config.settings.local import env

LOG_LEVEL = "ERROR"
LOGGING["root"]["level"] = "ERROR"  # noqa: F405
RATE_API = "1000000000/60"
RATE_REGISTRATION = "1000000000/3600"
WORKSPACES_PER_OWNER = 1_000_000
MIGRATION_MODULES = {}
if env.str("BENCH_FLEET", default=""):
    # The app whose tables the fleet migrator is measured with; "before" lacks the last migration.
    TENANT_APPS = [*TENANT_APPS, "benchmarks.fleet"]  # noqa: F405
    INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.fleet"]  # noqa: F405
    MIGRATION_MODULES = {"fleet": f"benchmarks.fleet.{env.str('BENCH_FLEET')}"}
