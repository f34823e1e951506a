"""Production: HTTPS only, and a refusal to start with anything that is safe on one's own machine only."""

import environ
from whitenoise.compress import Compressor

from config.settings.base import *
from config.settings.base import (
    ALLOWED_HOSTS,
    SECRET_KEY,
    SECRETS_KEYS,
    SECRETS_KEYS_FILE,
    STORAGES,
    env,
)

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.int("TRUSTED_PROXIES", default=0) else None
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31536000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = False
# Source maps are as large as everything else together, and only a debugger asks for them.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")


def _refuse_unsafe_start() -> None:
    """Raise ImproperlyConfigured, naming the variable to set, where a default would be dangerous."""
    if env.bool("DEBUG", default=False):
        raise environ.ImproperlyConfigured("DEBUG must not be set in production.")
    if len(SECRET_KEY) < 50 or SECRET_KEY.startswith(("local-only", "test-only", "django-insecure", "change")):
        raise environ.ImproperlyConfigured("Set SECRET_KEY to at least 50 random characters of your own.")
    if not ALLOWED_HOSTS or any("*" in host or host.startswith(".") for host in ALLOWED_HOSTS):
        raise environ.ImproperlyConfigured("Set ALLOWED_HOSTS to the names that you serve, without wildcards.")
    if not (SECRETS_KEYS or SECRETS_KEYS_FILE):
        raise environ.ImproperlyConfigured("Set SECRETS_KEYS or SECRETS_KEYS_FILE: sealed values need a key.")
    if any(key.startswith(("local:", "test:")) for key in SECRETS_KEYS):
        raise environ.ImproperlyConfigured("SECRETS_KEYS holds a key that is public. Make one of your own.")


_refuse_unsafe_start()
