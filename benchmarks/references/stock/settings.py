"""django-tenants with its defaults: a tenant by host name, a new connection for each request."""

from config.env import env

SECRET_KEY = "reference-only"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.references.stock.urls"
USE_TZ = True
SHARED_APPS = ["django_tenants", "benchmarks.references.stock.tenants", "django.contrib.contenttypes", "rest_framework"]
TENANT_APPS = ["django.contrib.contenttypes", "benchmarks.references.stock.shop"]
INSTALLED_APPS = [*SHARED_APPS, "benchmarks.references.stock.shop"]
TENANT_MODEL = "tenants.Client"
TENANT_DOMAIN_MODEL = "tenants.Domain"
MIDDLEWARE = [
    "django_tenants.middleware.main.TenantMainMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
DATABASES = {"default": {**env.db_url("STOCK_DATABASE_URL"), "ENGINE": "django_tenants.postgresql_backend"}}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
LOGGING_CONFIG = None
