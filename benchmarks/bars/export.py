"""Bar 10: one workspace's schema exported among thousands, against ``pg_dump -n`` of the same."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import django
from django.core.management import call_command

from benchmarks.bars import tell
from benchmarks.measure import alternate, seconds
from benchmarks.report import Result

MANY = int(os.environ.get("BENCH_WORKSPACES", "3000"))
APPS = 200
ROUNDS = 7


def main() -> None:
    django.setup()
    from benchmarks import platform

    platform.prepare_database(slots=20)
    place = platform.make_place()
    platform.publish_loan_schedule(place)
    platform.add_apps(place, APPS)
    call_command("bootstrap", slots=MANY, verbosity=0)
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder) / "ours.sealed"
        reference = Path(folder) / "reference.dump"
        export(place.workspace, ours)
        compared = alternate(
            lambda: seconds(lambda: export(place.workspace, ours)),
            lambda: seconds(lambda: _pg_dump(place.workspace.schema_name, reference)),
            rounds=ROUNDS,
        )
        sizes = f"{ours.stat().st_size / 1024:,.0f} kB, pg_dump -Fc {reference.stat().st_size / 1024:,.0f} kB"
    factor = 1 / compared.ratio
    tell(
        Result(
            bar="10",
            what=f"export one workspace ({APPS} apps) among {MANY:,} schemas, sealed, against pg_dump -n ({sizes})",
            ours=f"{compared.ours * 1000:.0f} ms",
            reference=f"{compared.reference * 1000:,.0f} ms",
            ratio=factor,
            wanted="≥ 20",
            holds=factor >= 20,
        )
    )


def export(workspace: object, path: Path) -> None:
    """What the operation's worker does: every table from one snapshot, packed, hashed and sealed into a file."""
    from django.utils import timezone

    from apps.archives.services.storing import sealing_writer
    from apps.archives.services.writing import write_archive
    from apps.workspaces.selectors.portraits import portrait_of

    with path.open("wb") as file, sealing_writer(file, model="benchmarks.Export", key="1") as sealed:
        write_archive(
            sealed,
            schema_name=workspace.schema_name,  # type: ignore[attr-defined]
            describe=lambda: portrait_of(workspace.pk),  # type: ignore[attr-defined]
            now=timezone.now(),
        )


def _pg_dump(schema_name: str, path: Path) -> None:
    command = ["pg_dump", "-Fc", "-n", schema_name, "-f", str(path), "-d", os.environ["DATABASE_URL"]]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
