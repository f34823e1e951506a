from typing import Any


def count_call(view: Any) -> None:
    return None
