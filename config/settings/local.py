"""`make run`: one machine, loopback, generous rates, mail written to files."""

from config.settings.base import *
from config.settings.base import DATA_DIR, env

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="local-only-not-for-production-anywhere")
SECRETS_KEYS = env.list("SECRETS_KEYS", default=["local:bG9jYWwtb25seS1ub3QtZm9yLXByb2R1Y3Rpb24hISE="])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
if not env.str("EMAIL_URL", default=""):
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = f"{DATA_DIR}/mail"
LOG_FORMAT = env.str("LOG_FORMAT", default="console")

RATE_API = env.str("RATE_API", default="6000/60")
RATE_REGISTRATION = env.str("RATE_REGISTRATION", default="1000/3600")
