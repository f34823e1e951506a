"""Included in a worker: one of an older release, which doesn't know the last step of ``probe.work`` yet."""

from dataclasses import replace

from apps.operations.services import kinds
from apps.operations.tests import probe  # noqa: F401 - registers the kind

_newer = kinds.require_kind("probe.work")
kinds._kinds["probe.work"] = replace(_newer, make_steps=lambda: list(_newer.make_steps())[:-1])
