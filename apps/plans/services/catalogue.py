"""The built-in dimensions and plans."""

from __future__ import annotations

from django.db import transaction

from apps.plans.models import Dimension, Plan, PlanLimit

_MiB = 1024 * 1024
_GiB = 1024 * _MiB

#: code, name, unit, kind, reset, on failure. What costs others something when it is exceeded fails closed.
DIMENSIONS = (
    ("runtime.requests", "App requests", "request", "counter", "monthly", "open"),
    ("workflow.runs", "Workflow runs", "run", "counter", "monthly", "open"),
    ("workflow.seconds", "Workflow time", "second", "counter", "monthly", "open"),
    ("ai.tokens", "AI tokens", "token", "counter", "monthly", "closed"),
    ("database.bytes", "Database size", "byte", "gauge", "never", "closed"),
    ("backup.bytes", "Backup storage", "byte", "gauge", "never", "closed"),
    ("apps", "Apps", "app", "count", "never", "closed"),
    ("members", "Members", "member", "count", "never", "closed"),
    ("domains", "Custom domains", "domain", "count", "never", "closed"),
    ("databases", "Databases", "database", "count", "never", "closed"),
)

#: Per plan: dimension → (soft limit, hard limit, overage). A hard limit of None is unlimited.
PLANS: dict[str, tuple[str, str, dict[str, tuple[int | None, int | None, bool]]]] = {
    "free": (
        "Free",
        "For trying things out, and for one small team.",
        {
            "runtime.requests": (80_000, 100_000, False),
            "workflow.runs": (8_000, 10_000, False),
            "workflow.seconds": (28_800, 36_000, False),
            "ai.tokens": (160_000, 200_000, False),
            "database.bytes": (400 * _MiB, 512 * _MiB, False),
            "backup.bytes": (800 * _MiB, _GiB, False),
            "apps": (20, 25, False),
            "members": (8, 10, False),
            "domains": (2, 3, False),
            "databases": (None, 1, False),
        },
    ),
    "team": (
        "Team",
        "For a team that depends on its apps.",
        {
            "runtime.requests": (1_600_000, 2_000_000, True),
            "workflow.runs": (160_000, 200_000, True),
            "workflow.seconds": (576_000, 720_000, True),
            "ai.tokens": (4_000_000, 5_000_000, False),
            "database.bytes": (16 * _GiB, 20 * _GiB, False),
            "backup.bytes": (80 * _GiB, 100 * _GiB, False),
            "apps": (160, 200, False),
            "members": (80, 100, False),
            "domains": (16, 20, False),
            "databases": (None, 1, False),
        },
    ),
    "business": (
        "Business",
        "For a whole organisation.",
        {
            "runtime.requests": (16_000_000, None, True),
            "workflow.runs": (1_600_000, None, True),
            "workflow.seconds": (5_760_000, None, True),
            "ai.tokens": (40_000_000, 50_000_000, True),
            "database.bytes": (160 * _GiB, 200 * _GiB, False),
            "backup.bytes": (800 * _GiB, 1000 * _GiB, False),
            "apps": (1_600, 2_000, False),
            "members": (800, 1_000, False),
            "domains": (160, 200, False),
            "databases": (None, 1, False),
        },
    ),
}


BUILT_IN_DIMENSIONS = frozenset(code for code, *_ in DIMENSIONS)


def seed_plans() -> None:
    """Make the built-in dimensions and plans that are missing. What an operator has changed is left as it is.

    A limit is made together with its plan or its dimension only, so one that an operator has removed stays away.
    """
    with transaction.atomic():
        new_dimensions = {row[0] for row in DIMENSIONS if _seed_dimension(*row)}
        for position, (code, (name, description, limits)) in enumerate(PLANS.items()):
            plan, is_new = Plan.objects.get_or_create(
                code=code, defaults={"name": name, "description": description, "position": position}
            )
            for dimension, (soft, hard, overage) in limits.items():
                if is_new or dimension in new_dimensions:
                    PlanLimit.objects.get_or_create(
                        plan=plan,
                        dimension_id=dimension,
                        defaults={"soft_limit": soft, "hard_limit": hard, "overage": overage},
                    )


def _seed_dimension(code: str, name: str, unit: str, kind: str, reset: str, on_failure: str) -> bool:
    _, is_new = Dimension.objects.get_or_create(
        code=code, defaults={"name": name, "unit": unit, "kind": kind, "reset": reset, "on_failure": on_failure}
    )
    return is_new
