"""Redis, which may be down: one client and one circuit for each process, and a Django cache that forgives."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

from apps.common.circuit import Circuit

circuit = Circuit("redis", pause=settings.REDIS_PAUSE.total_seconds())


@lru_cache(maxsize=1)
def client() -> redis.Redis:
    """The process's own connections to Redis, for what a cache can't do in one round trip."""
    options = settings.CACHES["global"]["OPTIONS"]
    return redis.Redis.from_url(settings.REDIS_URL, **options)


def attempt(ask: Callable[[], Any], otherwise: Any = None) -> Any:
    """What ``ask`` gets from Redis; ``otherwise`` when it is down, without asking if it was so a moment ago."""
    if not circuit.closed:
        return otherwise
    try:
        answer = ask()
    except (redis.RedisError, OSError) as error:
        circuit.fail(error)
        return otherwise
    circuit.succeed()
    return answer


class _ForgivingClient(RedisCacheClient):
    """Django's client, whose answers are misses while Redis is down."""

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return bool(attempt(lambda: super(_ForgivingClient, self).add(key, value, timeout), False))

    def get(self, key: Any, default: Any) -> Any:
        return attempt(lambda: super(_ForgivingClient, self).get(key, default), default)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        attempt(lambda: super(_ForgivingClient, self).set(key, value, timeout))

    def touch(self, key: Any, timeout: Any) -> bool:
        return bool(attempt(lambda: super(_ForgivingClient, self).touch(key, timeout), False))

    def delete(self, key: Any) -> bool:
        return bool(attempt(lambda: super(_ForgivingClient, self).delete(key), False))

    def get_many(self, keys: Any) -> dict[Any, Any]:
        return attempt(lambda: super(_ForgivingClient, self).get_many(keys), {})  # type: ignore[no-any-return]

    def has_key(self, key: Any) -> bool:
        return bool(attempt(lambda: super(_ForgivingClient, self).has_key(key), False))

    def set_many(self, data: Any, timeout: Any) -> None:
        attempt(lambda: super(_ForgivingClient, self).set_many(data, timeout))

    def delete_many(self, keys: Any) -> None:
        attempt(lambda: super(_ForgivingClient, self).delete_many(keys))

    def clear(self) -> bool:
        return bool(attempt(lambda: super(_ForgivingClient, self).clear(), False))


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache; while Redis is down it is empty, at no cost to the request.

    ``incr`` alone raises then, like for a key that isn't there: a count must not be made up.
    """

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _ForgivingClient

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        count = attempt(lambda: super(ForgivingRedisCache, self).incr(key, delta, version))
        if count is None:
            raise ValueError("Redis is not available.")
        return int(count)
