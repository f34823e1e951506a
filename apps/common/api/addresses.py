"""Where a request came from."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings


def caller_address(request: Any) -> str:
    """The caller's IP address: the peer's, or, behind ``TRUSTED_PROXIES`` proxies of ours, what the outermost of them
    saw (each appends to ``X-Forwarded-For``; what stands further left could be anyone's invention). Empty if unknown.
    """
    meta = request.META
    candidate = meta.get("REMOTE_ADDR", "")
    proxies = settings.TRUSTED_PROXIES
    if proxies:
        hops = [hop.strip() for hop in meta.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        if len(hops) >= proxies:
            candidate = hops[-proxies]
    try:
        return str(ipaddress.ip_address(candidate))
    except ValueError:
        return ""
