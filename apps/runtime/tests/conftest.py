"""Every test starts with a process that has seen nothing yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import caches

from apps.runtime.services.counting import rate_limits
from apps.runtime.services.recording import recorder
from apps.runtime.services.resolution import resolver


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    resolver.forget()
    rate_limits.forget()
    recorder.forget()
    caches["global"].clear()
    yield
    recorder.forget()
