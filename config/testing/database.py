"""Test databases, cloned from a template that is migrated once per set of migrations."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from config.env import ROOT

_TEMPLATE_PREFIX = "apprun_template_"
_SLOTS = 12


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, request: pytest.FixtureRequest
) -> Iterator[None]:
    """A database of its own for this test process, with the built-in rows and some schemas that stand ready."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    with django_db_blocker.unblock():
        original = _current_name()
        template = _require_template(original)
        name = f"test_{original}_{worker}"
        _clone(template, name)
        _use(name)
        yield
        _use(original)
        _drop(name)


@pytest.fixture
def committed_database(django_db_setup: None, django_db_blocker: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database for one test that commits, for threads and real processes; yields its URL.

    A test that asks for this must not ask for ``db``.
    """
    with django_db_blocker.unblock(), committed_clone(request.config) as url:
        yield url


@contextmanager
def committed_clone(config: pytest.Config) -> Iterator[str]:
    """In the block, this process uses a database that commits; yields its URL. For fixtures of a wider scope, too."""
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    usual = _current_name()
    name = f"{usual}_committed_{worker}"[:63]
    _clone(_require_template(usual.removeprefix("test_").removesuffix(f"_{worker}")), name)
    _use(name)
    try:
        yield database_url(name)
    finally:
        _use(usual)
        _drop(name)


@contextmanager
def second_installation() -> Iterator[str]:
    """The URL of another platform's database, as freshly migrated as a test's; dropped at the end of the block."""
    usual = _current_name()
    name = f"{usual}_second"[:63]
    prefix = re.sub(r"^test_|_(?:committed_)?(?:main|gw[0-9]+)$", "", usual)
    _clone(_require_template(prefix), name)
    _use(usual)
    try:
        yield database_url(name)
    finally:
        _drop(name)


def database_url(name: str) -> str:
    """A ``DATABASE_URL`` for the database ``name`` on the server of the suite."""
    options = settings.DATABASES["default"]
    password = f":{options['PASSWORD']}" if options.get("PASSWORD") else ""
    host = str(options.get("HOST") or "127.0.0.1").replace("/", "%2F")
    return f"postgres://{options['USER']}{password}@{host}:{options.get('PORT') or 5432}/{name}"


def _current_name() -> str:
    return str(connections["default"].settings_dict["NAME"])


def _use(name: str) -> None:
    connections["default"].close()
    connections["default"].settings_dict["NAME"] = name
    settings.DATABASES["default"]["NAME"] = name


@contextmanager
def _server() -> Iterator[psycopg.Connection[Any]]:
    options = settings.DATABASES["default"]
    with psycopg.connect(
        host=options.get("HOST") or None,
        port=options.get("PORT") or None,
        user=options["USER"],
        password=options.get("PASSWORD") or None,
        dbname="postgres",
        autocommit=True,
    ) as server:
        yield server


def _clone(template: str, name: str) -> None:
    with _server() as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def _drop(name: str) -> None:
    with _server() as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _require_template(usual: str) -> str:
    name = _TEMPLATE_PREFIX + _sources_digest()
    with _server() as server:
        # Parallel test processes start at the same moment: one makes the template, the others wait for it.
        server.execute("SELECT pg_advisory_lock(hashtext('apprun test template'))")
        found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not found:
            unfinished = f"{name}_unfinished"
            server.execute(f'DROP DATABASE IF EXISTS "{unfinished}" WITH (FORCE)')
            server.execute(f'CREATE DATABASE "{unfinished}"')
            _use(unfinished)
            call_command("migrate_schemas", shared=True, verbosity=0, interactive=False)
            call_command("bootstrap", slots=_SLOTS, verbosity=0)
            _use(usual)
            server.execute(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')
    return name


def _sources_digest() -> str:
    """Changes whenever the template would: migrations, and whatever makes built-in rows and schemas."""
    digest = hashlib.sha256()
    sources = [
        *ROOT.glob("apps/*/migrations/*.py"),
        *ROOT.glob("apps/*/management/commands/bootstrap.py"),
        *ROOT.glob("apps/plans/services/*.py"),
        ROOT / "apps/common/schema_ddl.py",
        ROOT / "config/settings/parts/tenancy.py",
        Path(__file__),
    ]
    for source in sorted(sources):
        digest.update(str(source.relative_to(ROOT)).encode() + source.read_bytes())
    return digest.hexdigest()[:12]
