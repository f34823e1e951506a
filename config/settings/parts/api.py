"""The v1 API: one renderer, one parser, one exception handler, one permission that knows every view's table."""

from config.env import env

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.AccessTokenAuthentication",
        "apps.access.authentication.ApiKeyAuthentication",
        "apps.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.common.api.permissions.Gate"],
    "DEFAULT_RENDERER_CLASSES": ["apps.common.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.common.api.parsers.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": [],
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "apps.common.api.schema.AutoSchema",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.common.api.renderers.JSONOnly",
    "EXCEPTION_HANDLER": "apps.common.api.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "AppRun API",
    "VERSION": "1.0.0",
    "DESCRIPTION": "Workspaces, apps, versions, releases and everything behind them.",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "For people."},
            "api_key": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "For programs: `Api-Key <key>`.",
            },
            "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "For these pages."},
        }
    },
}

#: Rates as ``count/period in seconds``.
RATE_API = env.str("RATE_API", default="600/60")
RATE_SIGN_IN = env.str("RATE_SIGN_IN", default="10/60")
RATE_SIGN_IN_ACCOUNT = env.str("RATE_SIGN_IN_ACCOUNT", default="100/3600")
RATE_RUNTIME_UNKNOWN = env.str("RATE_RUNTIME_UNKNOWN", default="300/60")
RATE_REGISTRATION = env.str("RATE_REGISTRATION", default="20/3600")
