"""`check`, `backup` or `schedule`: docs/operations/backup.md.

Exit codes: 0 everything holds, 1 something doesn't, 2 wrong use.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .check import Finding, check_backups, verify
from .commands import Commands
from .errors import RecoveryError
from .objectives import Limits, Schedule
from .record import Verified, read_verified, render_metrics, write_verified, write_whole
from .schedule import make_backup

SECONDS_BETWEEN_PASSES = 60.0


def main(
    arguments: list[str], *, commands: Commands | None = None, write: Callable[[str], object] | None = None
) -> int:
    """Runs the command and returns the exit code. `commands` and `write` stand for the real programs and output."""
    options = make_parser().parse_args(arguments)
    chosen = commands or Commands(stanza=options.stanza)
    say = write or (lambda text: print(text, flush=True))  # noqa: T201
    try:
        if options.command == "check":
            return check(chosen, options, say=say)
        if options.command == "backup":
            return pass_once(chosen, options, say=say)
        while True:  # what a pass finds is in its output and in the metrics; the next pass tries again
            pass_once(chosen, options, say=say)
            time.sleep(SECONDS_BETWEEN_PASSES)
    except KeyboardInterrupt:
        return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="recovery", description="pgBackRest's backups of one PostgreSQL cluster.")
    parser.add_argument("command", choices=("check", "backup", "schedule"))
    parser.add_argument("--stanza", default="apprun", help="pgBackRest's name of the cluster (apprun)")
    state = Path(os.environ["RECOVERY_STATE"]) if os.environ.get("RECOVERY_STATE") else None
    metrics = Path(os.environ["RECOVERY_METRICS"]) if os.environ.get("RECOVERY_METRICS") else None
    told = "folder in which the last verification is written down (RECOVERY_STATE)"
    parser.add_argument("--state", type=Path, default=state, help=told)
    told = "file for Prometheus' textfile collector, ending in .prom (RECOVERY_METRICS)"
    parser.add_argument("--metrics", type=Path, default=metrics, help=told)
    parser.add_argument("--quick", action="store_true", help="check: take the last verification, don't read everything")
    return parser


def check(commands: Commands, options: argparse.Namespace, *, say: Callable[[str], object]) -> int:
    """Says what holds and what doesn't."""
    verified = recall(options) if options.quick else renew(commands, options)
    now = datetime.now(UTC)
    findings = check_backups(commands=commands, limits=Limits(), now=now, verified=verified)
    publish(findings, options, now=now)
    for finding in findings:
        say(f"{'ok  ' if finding.holds else 'FAIL'}  {finding.name}: {finding.text}")
    return 0 if all(finding.holds for finding in findings) else 1


def pass_once(commands: Commands, options: argparse.Namespace, *, say: Callable[[str], object]) -> int:
    """Makes what is due, verifies after each full backup and at least daily, and says what doesn't hold."""
    try:
        made = make_backup(commands=commands, schedule=Schedule(), now=datetime.now(UTC))
    except RecoveryError as error:
        say(f"FAIL  backup: {error}")
        made, failed = None, True
    else:
        failed = False
        if made:
            say(f"ok    backup: {made}")
    now = datetime.now(UTC)
    verified = recall(options)
    if made == "full" or verified is None or is_old(verified, now=now):
        verified = renew(commands, options)
        say(f"{'ok  ' if verified.clean else 'FAIL'}  verification: {verified.text}")
    findings = check_backups(commands=commands, limits=Limits(), now=datetime.now(UTC), verified=verified)
    publish(findings, options, now=now)
    broken = [finding for finding in findings if not finding.holds]
    for finding in broken:
        say(f"FAIL  {finding.name}: {finding.text}")
    return 1 if failed or broken else 0


def is_old(verified: Verified, *, now: datetime) -> bool:
    """Whether it is time to read everything again; what was found broken is looked at again within the hour."""
    return now - verified.at >= (timedelta(hours=24) if verified.clean else timedelta(hours=1))


def recall(options: argparse.Namespace) -> Verified | None:
    """The verification that was written down."""
    return read_verified(options.state / f"{options.stanza}-verified.json") if options.state else None


def renew(commands: Commands, options: argparse.Namespace) -> Verified:
    """Verifies now, and writes it down."""
    verified = verify(commands=commands, now=datetime.now(UTC))
    if options.state:
        write_verified(options.state / f"{options.stanza}-verified.json", verified)
    return verified


def publish(findings: list[Finding], options: argparse.Namespace, *, now: datetime) -> None:
    """Writes the metrics, when somebody collects them."""
    if options.metrics:
        write_whole(options.metrics, render_metrics(findings, stanza=options.stanza, now=now))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
