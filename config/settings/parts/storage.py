"""Caches, static files, and mail."""

from pathlib import Path

from redis.backoff import NoBackoff
from redis.retry import Retry

from config.env import ROOT, env
from config.settings.parts.celery import REDIS_URL
from config.storage_urls import backup_storage

DATA_DIR = Path(env.str("DATA_DIR", default=str(ROOT / ".local"))).resolve()

_REDIS = {
    # Empty while Redis is down, instead of raising.
    "BACKEND": "apps.common.redis_access.ForgivingRedisCache",
    "LOCATION": REDIS_URL,
    # Once more at once, for a connection that was closed while it lay idle. redis-py's own retries wait for seconds.
    "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": Retry(NoBackoff(), 1)},
}

CACHES = {
    # Keys carry the schema: without it one workspace's cached rows would be another's.
    "default": {**_REDIS, "KEY_PREFIX": "w", "KEY_FUNCTION": "django_tenants.cache.make_key"},
    # Sessions, throttles: the same whatever the schema.
    "global": {**_REDIS, "KEY_PREFIX": "g"},
}

SESSION_ENGINE = "apps.common.sessions"
SESSION_CACHE_ALIAS = "global"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(DATA_DIR / "static")))
STATICFILES_DIRS = [ROOT / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Backups and archives: sealed before they get here. Apart from what visitors could ever be served.
    "backups": backup_storage(env.str("BACKUP_STORAGE_URL", default=""), folder=str(DATA_DIR / "backups")),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
#: Where a proof keeps the dump for as long as it loads it.
BACKUP_SCRATCH_FOLDER = env.str("BACKUP_SCRATCH_FOLDER", default=str(DATA_DIR / "proofs"))
#: Where a restore keeps the dump for as long as it loads it: on a disk with room for the largest database.
DATABASE_RESTORE_FOLDER = env.str("DATABASE_RESTORE_FOLDER", default=str(DATA_DIR / "restores"))
WHITENOISE_USE_FINDERS = True

DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="AppRun <no-reply@apprun.invalid>")
_email = env.email_url("EMAIL_URL", default="consolemail://")
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_HOST = _email.get("EMAIL_HOST", "")
EMAIL_PORT = _email.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _email.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = _email.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _email.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _email.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 30
