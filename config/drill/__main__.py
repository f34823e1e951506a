"""`python -m config.drill`: runs every step and prints what was asserted; ends with 0 only if all of it held."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from config.recovery.errors import RecoveryError
from config.services import ServicesError

from .errors import DrillFailed
from .place import make_place
from .steps import Drill

STEPS: dict[str, Callable[[Drill], str]] = {
    "make a cluster": Drill.make_cluster,
    "make the stanza": Drill.make_stanza,
    "fill the platform": Drill.prepare_platform,
    "full backup": Drill.back_up_fully,
    "incremental backup": Drill.back_up_writes,
    "write on": Drill.write_on,
    "DROP by mistake": Drill.drop_by_mistake,
    "point-in-time restore": Drill.recover_to_just_before,
    "one database alone": Drill.take_one_database_out,
    "total loss": Drill.lose_everything,
    "protect again": Drill.protect_again,
    "find damage": Drill.find_damage,
}


@dataclass
class Report:
    """The table, a line as soon as its step has ended."""

    say: Callable[[str], object]
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, step: Callable[[Drill], str], drill: Drill) -> None:
        """Runs the step and says how it went. Raises DrillFailed and RecoveryError as the step does."""
        began = time.monotonic()
        try:
            text = step(drill)
        except (DrillFailed, RecoveryError, psycopg.Error) as error:
            self.say(f"{name:<22} {time.monotonic() - began:>6.1f} s  FAILED: {error}")
            raise
        self.seconds[name] = time.monotonic() - began
        self.say(f"{name:<22} {self.seconds[name]:>6.1f} s  {text}")


def run_steps(drill: Drill, *, say: Callable[[str], object]) -> None:
    """Every step in order. Raises the first failure."""
    report = Report(say)
    for name, step in STEPS.items():
        report.run(name, step, drill)
    say(f"{'all held':<22} {sum(report.seconds.values()):>6.1f} s")


def main(*, say: Callable[[str], object] = print) -> int:
    """The exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with make_place() as place:
            run_steps(Drill(place), say=say)
    except (DrillFailed, RecoveryError, ServicesError, psycopg.Error) as error:
        print(f"The drill failed: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(main())
