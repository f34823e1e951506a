"""Which apps are public and which are a workspace's. An app is one or the other as a whole; only audit is both."""

TENANT_MODEL = "workspaces.Workspace"
# Hosts are resolved by our own routes, never by django-tenants; the setting must name a model all the same.
TENANT_DOMAIN_MODEL = "workspaces.Workspace"
PUBLIC_SCHEMA_NAME = "public"
TENANT_LIMIT_SET_CALLS = True

SHARED_APPS = [
    # Unfold stands before django_tenants, whose template directory would else break the sidebar.
    "unfold",
    "unfold.contrib.filters",
    "django_tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.headless",
    "corsheaders",
    "django_celery_beat",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "apps.common",
    "apps.audit",
    "apps.secrets",
    "apps.events",
    "apps.operations",
    "apps.accounts",
    "apps.plans",
    "apps.workspaces",
    "apps.archives",
    "apps.access",
    "apps.databases",
    "apps.console",
]

TENANT_APPS = [
    "apps.audit",
    "apps.billing",
    "apps.workflows",
    "apps.applications",
    "apps.runtime",
]

INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]
