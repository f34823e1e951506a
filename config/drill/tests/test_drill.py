"""`make drill`, and that it can fail: a target after the DROP, a damaged repository, a wrong passphrase."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.drill.__main__ import STEPS, run_steps
from config.drill.__main__ import main as drill_main
from config.drill.errors import DrillFailed
from config.drill.place import HOW_TO_INSTALL, make_place
from config.drill.steps import Drill, damaged, flip
from config.recovery.__main__ import main as recovery
from config.recovery.check import check_backups
from config.recovery.errors import CommandFailed
from config.recovery.objectives import Limits
from config.recovery.record import Verified

pytestmark = [
    pytest.mark.skipif(shutil.which("pgbackrest") is None, reason=f"needs pgBackRest: {HOW_TO_INSTALL}"),
    pytest.mark.xdist_group("drill"),
    pytest.mark.timeout(400),
]


@dataclass
class Performed:
    """A drill that was performed, its cluster and repository still there."""

    drill: Drill
    said: list[str] = field(default_factory=list)
    seconds: float = 0.0


@pytest.fixture(scope="module")
def performed() -> Iterator[Performed]:
    with make_place() as place:
        performed = Performed(Drill(place))
        began = time.monotonic()
        run_steps(performed.drill, say=performed.said.append)
        performed.seconds = time.monotonic() - began
        yield performed


def test_every_step_holds_and_is_timed(performed: Performed) -> None:
    assert [line[:22].strip() for line in performed.said] == [*STEPS, "all held"]
    assert not [line for line in performed.said if "FAILED" in line]


def test_restore_to_after_the_drop_turns_the_drill_red(performed: Performed) -> None:
    drill = performed.drill
    late = drill.recovered(name="late", target=drill.just_after)
    with late as (cluster, _), pytest.raises(DrillFailed, match="tables are gone"):
        drill.require_equal(cluster)


def test_changed_row_turns_the_drill_red(performed: Performed) -> None:
    drill = performed.drill
    with drill.recovered(name="changed", target=drill.just_before) as (cluster, _):
        assert drill.require_equal(cluster) > 20_000
        with cluster.connect(drill.workspace_database) as connection:
            connection.execute("UPDATE app.invoices SET cents = cents + 1 WHERE id = 777")
        with pytest.raises(DrillFailed, match=r"other rows: app\.invoices"):
            drill.require_equal(cluster)


def test_restore_from_a_damaged_backup_fails_loudly(performed: Performed) -> None:
    drill = performed.drill
    bundle = next((drill.place.repository / "backup").glob("apprun/*F/bundle/1"))
    with damaged(bundle, flip):
        with pytest.raises(DrillFailed, match="doesn't name"):
            drill.require_check(holds=False, named="no such file")
        with (
            pytest.raises(CommandFailed, match="pgbackrest ended with"),
            drill.recovered(name="bad", target=drill.just_before),
        ):
            pytest.fail("it was restored")
    shutil.rmtree(drill.place.own / "bad", ignore_errors=True)


def test_lost_segment_stops_the_restore(performed: Performed) -> None:
    drill = performed.drill
    incremental = drill.commands.read_info()["backup"][1]
    after = sorted((drill.place.repository / "archive").glob("apprun/*/0000000100000000/*-*.zst"))
    segment = next(path for path in after if path.name[:24] > incremental["archive"]["stop"])
    with (
        damaged(segment, Path.unlink),
        pytest.raises(DrillFailed, match="ended before configured recovery target"),
        drill.recovered(name="short", target=drill.just_before),
    ):
        pytest.fail("it came up")
    shutil.rmtree(drill.place.own / "short", ignore_errors=True)


def test_nothing_is_read_without_the_passphrase(performed: Performed) -> None:
    drill = performed.drill
    commands = dataclasses.replace(
        drill.commands, environment=drill.place.environment(drill.live) | {"PGBACKREST_REPO1_CIPHER_PASS": "guessed"}
    )
    findings = check_backups(commands=commands, limits=Limits(), now=datetime.now(UTC))
    assert not findings[0].holds
    content = b"".join(path.read_bytes() for path in drill.place.repository.rglob("*") if path.is_file())
    assert b"Customer 7" not in content
    assert drill.workspace_database.encode() not in content


def test_operators_command_holds_on_the_real_repository(performed: Performed, tmp_path: Path) -> None:
    said: list[str] = []
    drill = performed.drill
    assert recovery(["check", f"--state={tmp_path}"], commands=drill.commands, write=said.append) == 0, said
    assert recovery(["backup", f"--state={tmp_path}"], commands=drill.commands, write=said.append) == 0, said
    with drill.live.connect("postgres") as connection:
        connection.execute("ALTER SYSTEM SET archive_command = '/bin/false'")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE TABLE public.unarchived (n int)")
        connection.execute("SELECT pg_switch_wal()")
    strict = dataclasses.replace(Limits(), wal_exposure=timedelta(seconds=2))
    clean = Verified(datetime.now(UTC), True, "whole")
    try:
        time.sleep(1)
        findings = check_backups(commands=drill.commands, limits=strict, now=datetime.now(UTC), verified=clean)
        assert [finding.name for finding in findings if not finding.holds] == ["log exposure"]
        assert "segments wait" in next(finding.text for finding in findings if not finding.holds)
    finally:
        with drill.live.connect("postgres") as connection:
            connection.execute("ALTER SYSTEM RESET archive_command")
            connection.execute("SELECT pg_reload_conf()")


def test_server_that_lies_about_archiving_is_found_out(performed: Performed) -> None:
    drill = performed.drill
    with drill.live.connect("postgres") as connection:
        before = connection.execute("SELECT last_archived_wal FROM pg_stat_archiver").fetchone()
        connection.execute("ALTER SYSTEM SET archive_command = '/bin/true'")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE TABLE public.unstored (n int)")
        connection.execute("SELECT pg_switch_wal()")
        give_up_at = time.monotonic() + 15
        while connection.execute("SELECT last_archived_wal FROM pg_stat_archiver").fetchone() == before:
            assert time.monotonic() < give_up_at
            time.sleep(0.1)
    findings = check_backups(commands=drill.commands, limits=Limits(), now=datetime.now(UTC))
    assert "log stored" in [finding.name for finding in findings if not finding.holds]


def test_failed_step_ends_the_drill_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(drill: Drill) -> str:
        raise DrillFailed("24 rows are gone")

    monkeypatch.setattr("config.drill.__main__.STEPS", {"make a cluster": Drill.make_cluster, "lose rows": fail})
    said: list[str] = []
    assert drill_main(say=said.append) == 1
    assert [line.split()[-1] for line in said] == ["on", "gone"]
    assert "FAILED: 24 rows are gone" in said[-1]
    assert "The drill failed: 24 rows are gone" in capsys.readouterr().err


def test_nothing_is_left_behind() -> None:
    with make_place() as place:
        folder = place.folder
    assert not folder.exists()
