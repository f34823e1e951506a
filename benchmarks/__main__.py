"""``python -m benchmarks [bar …]``: measure, print the table, write ``benchmarks/results.md``.

Each group of bars runs in a process of its own (``python -m benchmarks.bars.<group>``), which prints one line of JSON
per result: settings and connections of one group never reach another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack

from benchmarks.places import database, own_name, server_version
from benchmarks.report import RESULTS, Result, render
from config.services import throwaway_services

#: Group of bars: the numbers in the design's table that it measures.
GROUPS = {
    "workspaces": ("1", "2", "15"),
    "fleet": ("3",),
    "restores": ("11",),
    "runtime": ("4",),
    "metering": ("8",),
    "export": ("10",),
    "api": ("6", "7"),
    "backups": ("9",),
    "operations": ("12",),
    "server": ("server",),
}


def main(chosen: list[str]) -> int:
    groups = [name for name, bars in GROUPS.items() if not chosen or name in chosen or set(chosen) & set(bars)]
    results: list[Result] = []
    with ExitStack() as stack:
        database_url, redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
        if not (database_url and redis_url):
            running = stack.enter_context(throwaway_services())
            database_url, redis_url = running.database_url, running.redis_url
        for group in groups:
            print(f"measuring {group} …", file=sys.stderr, flush=True)
            with database(database_url, own_name(group)) as url:
                results += _measure(group, {"DATABASE_URL": url, "REDIS_URL": redis_url, "BENCH_SERVER": database_url})
        table = render(results, server_version=server_version(database_url))
    print(table)
    if not chosen:
        RESULTS.write_text(table, encoding="utf-8")
    return 0 if results and all(row.holds for row in results) else 1


def _measure(group: str, environment: dict[str, str]) -> list[Result]:
    command = [sys.executable, "-m", f"benchmarks.bars.{group}"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "benchmarks.settings", **environment}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [Result(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
