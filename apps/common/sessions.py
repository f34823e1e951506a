"""Sessions in the database with a cache before it, which may be down."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore as CachedSessionStore


class _ShortCache:
    """A cache that keeps nothing for long: a session that was deleted while Redis was down is gone soon after."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def __contains__(self, key: str) -> bool:
        return key in self._cache

    def set(self, key: str, value: Any, timeout: float | None = None, **options: Any) -> None:
        longest = settings.SESSION_CACHE_LIFETIME.total_seconds()
        self._cache.set(key, value, longest if timeout is None else min(timeout, longest), **options)


class SessionStore(CachedSessionStore):
    """The database has every session; the cache (``apps.common.redis_access``) forgives being down."""

    cache_key_prefix = "apprun.sessions"

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        cache: Any = self._cache  # type: ignore[has-type]
        self._cache = _ShortCache(cache)
