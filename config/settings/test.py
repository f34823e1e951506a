"""The suite: real PostgreSQL and Redis, cheap password hashes, mail in memory."""

import os

from config.settings.base import *
from config.settings.base import env

SECRET_KEY = "test-only-and-long-enough-for-an-hmac-of-sha256"  # noqa: S105 - the suite's own
SECRETS_KEYS = ["test:dGVzdC1vbmx5LW5vdC1mb3ItcHJvZHVjdGlvbi0tISE="]
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *PASSWORD_HASHERS]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
LOG_LEVEL = env.str("LOG_LEVEL", default="WARNING")
RATE_API = env.str("RATE_API", default="100000/60")
RATE_REGISTRATION = env.str("RATE_REGISTRATION", default="100000/3600")
RATE_SIGN_IN = env.str("RATE_SIGN_IN", default="100000/60")
RATE_SIGN_IN_ACCOUNT = env.str("RATE_SIGN_IN_ACCOUNT", default="100000/3600")
RATE_RUNTIME_UNKNOWN = env.str("RATE_RUNTIME_UNKNOWN", default="100000/60")
SLOT_POOL_SIZE = 4
DATABASE_SERVER_EMBEDDED = False  # tests name the server that they want
RUNTIME_BACKGROUND = env.bool("RUNTIME_BACKGROUND", default=False)
# Each test process has its own queues; the workers that it starts are told.
REDIS_KEY_PREFIX = env.str("REDIS_KEY_PREFIX", default=f"test-{os.getpid()}:")
CELERY_BROKER_TRANSPORT_OPTIONS = {**CELERY_BROKER_TRANSPORT_OPTIONS, "global_keyprefix": REDIS_KEY_PREFIX}
