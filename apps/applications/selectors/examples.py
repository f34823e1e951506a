"""Apps worth having, as definitions: what a new installation shows.

Each is a JSON file in ``definitions/examples``; ``tests/test_examples.py`` holds them against published values.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

LOAN_SCHEDULE = "loan_schedule"
IBAN_CHECK = "iban_check"
UNIT_PRICE = "unit_price"
_FOLDER = Path(__file__).resolve().parent.parent / "definitions" / "examples"
NAMES = (LOAN_SCHEDULE, IBAN_CHECK, UNIT_PRICE)


def example_definition(name: str) -> dict[str, Any]:
    """A copy of the definition with this name. Raises KeyError for another name than those of ``NAMES``."""
    if name not in NAMES:
        raise KeyError(name)
    copy: dict[str, Any] = json.loads(_source(name))
    return copy


@lru_cache(maxsize=len(NAMES))
def _source(name: str) -> str:
    return (_FOLDER / f"{name}.json").read_text(encoding="utf-8")
