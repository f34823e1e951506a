"""How often a caller may call the API, said in every answer (draft-ietf-httpapi-ratelimit-headers)."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from django.conf import settings

from apps.common.api.addresses import caller_address
from apps.common.errors import RateLimited
from apps.common.permissions import resolver
from apps.common.rates import Count, Rate, counted_as, hit_roughly

if TYPE_CHECKING:
    from apps.common.api.views import ApiView

_SCOPE = "api"
#: One decision explains all refusals of a caller's window: caller → (its id, when the window ends).
_decisions: dict[str, tuple[str, float]] = {}


def count_call(view: ApiView) -> None:
    """Count this request for its caller: the key, the person, or the address of nobody.

    Raises RateLimited, with the id of the decision that explains it, above ``RATE_API``.
    """
    user = view.request.user
    if user.is_authenticated:
        actor = view.actor
        caller = f"{actor.kind}:{actor.id}"
    else:
        caller = f"address:{counted_as(caller_address(view.request))}"
    view.request._request.caller = caller  # type: ignore[attr-defined]
    count = hit_roughly(_SCOPE, caller, Rate.parse(settings.RATE_API))
    view.headers.update(rate_headers(_SCOPE, count))
    if not count.allowed:
        detail = f"At most {count.rate.limit} requests in {count.rate.seconds} seconds. Wait, then go on."
        raise RateLimited(detail, retry_after=count.resets_in, decision_id=_decision(view, caller, count, detail))


def rate_headers(policy: str, count: Count) -> dict[str, str]:
    """The two headers: what the policy is, and what is left of it."""
    rate = count.rate
    return {
        "RateLimit-Policy": f'"{policy}";q={rate.limit};w={rate.seconds}',
        "RateLimit": f'"{policy}";r={count.remaining};t={math.ceil(count.resets_in)}',
    }


def _decision(view: ApiView, caller: str, count: Count, detail: str) -> str:
    now = time.monotonic()
    known = _decisions.get(caller)
    if known is not None and now < known[1]:
        return known[0]
    decision = resolver().record_refusal(
        actor=view.actor,
        code="",
        action=f"{view.request.method} {view.request.path}"[:200],
        target=view.request.path[:300],
        grant=None,
        reason=detail,
        status=429,
    )
    if len(_decisions) > 10_000:
        _decisions.clear()
    _decisions[caller] = (decision, now + count.resets_in)
    return decision
