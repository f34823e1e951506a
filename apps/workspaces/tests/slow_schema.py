"""Included by a worker of a test: making a schema stops half-way for a minute, so that it can be killed there."""

from dataclasses import replace

from apps.common import schema_ddl

_original = schema_ddl.schema_template


def _slow_template() -> schema_ddl.SchemaTemplate:
    template = _original()
    statements = template.script.split("\n")
    half = len(statements) // 2
    return replace(template, script="\n".join([*statements[:half], "SELECT pg_sleep(60);", *statements[half:]]))


schema_ddl.schema_template = _slow_template  # type: ignore[assignment]
