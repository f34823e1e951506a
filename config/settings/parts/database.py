"""PostgreSQL: one alias, kept connections, TLS wherever the server is not on this machine."""

from typing import Any

from config.env import env, is_loopback

_url: dict[str, Any] = dict(env.db_url("DATABASE_URL", default="postgres://apprun@127.0.0.1:5432/apprun"))
_url["ENGINE"] = "apps.common.postgresql"
_url["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", default=600)
_url["DISABLE_SERVER_SIDE_CURSORS"] = env.bool("DATABASE_BEHIND_POOLER", default=False)
_options: dict[str, Any] = _url.setdefault("OPTIONS", {})
_options.setdefault("connect_timeout", env.int("DATABASE_CONNECT_TIMEOUT", default=5))
_options.setdefault("application_name", env.str("SERVICE_NAME", default="apprun"))
if not is_loopback(str(_url.get("HOST", ""))):
    _options.setdefault("sslmode", env.str("DATABASE_SSLMODE", default="verify-full"))
    if env.str("DATABASE_CA", default=""):
        _options.setdefault("sslrootcert", env.str("DATABASE_CA"))

DATABASES = {"default": _url}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

#: The host of the first server for workspaces' databases, as their clients reach it; empty: as the platform does.
DATABASE_SERVER_HOST = env.str("DATABASE_SERVER_HOST", default="")
