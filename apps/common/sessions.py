"""Sessions in the database with a cache before it, which may be down."""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib.sessions.backends.cached_db import (
    SessionStore as CachedSessionStore,
)

log = structlog.get_logger(__name__)


class _ForgivingCache:
    """A cache whose failures are misses: the database has every session anyway."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._attempt(self._cache.get, *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._attempt(self._cache.set, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._attempt(self._cache.delete, *args, **kwargs)

    def __contains__(self, key: str) -> bool:
        return bool(self._attempt(self._cache.has_key, key))

    def _attempt(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            # Any client error: a session lookup must not fail because Redis does.
            log.warning("session_cache_failed", error=str(error))
            return None


class SessionStore(CachedSessionStore):
    """Stock ``cached_db`` raises when the cache is down; this one goes to the database."""

    cache_key_prefix = "apprun.sessions"

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._cache = _ForgivingCache(self._cache)
