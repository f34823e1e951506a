"""The web process's entry point."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

django_application = get_wsgi_application()

# Django is set up from here on.
from apps.common.chunked_bodies import accept_chunked  # noqa: E402
from apps.runtime.middleware import PublicPages  # noqa: E402

application = accept_chunked(PublicPages(django_application))
