"""What the audit trail refuses."""


class TrailIsAppendOnly(RuntimeError):
    """Somebody tries to change or delete an act: a fault of the program, never of its caller."""

    def __init__(self) -> None:
        super().__init__("Acts in the audit trail are neither changed nor deleted; only retention forgets old ones.")
