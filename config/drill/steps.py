"""What a drill does, one method for each step; each returns what it asserted, or raises DrillFailed."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from config.recovery.check import check_backups, verify, write_span
from config.recovery.commands import Commands
from config.recovery.objectives import RECOVERY_TIME, Limits

from .errors import DrillFailed, require
from .place import ARCHIVE_TIMEOUT_SECONDS, Cluster, Place
from .platform import Platform, start_platform
from .rows import Hashes, Writer, compare, hash_rows, read_writes, require_all_before, require_whole_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Beyond the time-out: closing the segment, sending it, and a machine that does other things as well.
ARCHIVING_ALLOWANCE = timedelta(seconds=8)
INVOICES = 20_000
WORKSPACE_DATABASE = """
CREATE SCHEMA app;
CREATE TABLE app.customers (id uuid PRIMARY KEY, name text NOT NULL, since date NOT NULL);
CREATE TABLE app.invoices (id bigint PRIMARY KEY, customer uuid REFERENCES app.customers, cents bigint, lines jsonb);
CREATE INDEX invoices_of ON app.invoices (customer);
INSERT INTO app.customers
  SELECT md5(i::text)::uuid, 'Customer ' || i, date '2020-01-01' + i % 2000 FROM generate_series(1, 2000) AS i;
"""
MORE_INVOICES = """
INSERT INTO app.invoices
  SELECT n + i, md5((1 + i %% 2000)::text)::uuid, i * 97 %% 100000, jsonb_build_object('text', md5(i::text), 'n', i)
  FROM generate_series(1, %s) AS i, (SELECT coalesce(max(id), 0) AS n FROM app.invoices) AS newest
"""


@dataclass
class Drill:
    """One drill: the cluster that will be lost, and what is known of it from before."""

    place: Place
    live: Cluster = field(init=False)
    platform: Platform = field(init=False)
    writer: Writer = field(init=False)
    before: dict[str, Hashes] = field(default_factory=dict)
    just_before: datetime = field(init=False)
    just_after: datetime = field(init=False)
    workspace_database: str = field(default_factory=lambda: f"wd_{secrets.token_hex(8)}")

    @property
    def commands(self) -> Commands:
        return self.place.commands(self.live)

    def make_cluster(self) -> str:
        self.live = Cluster(self.place, "live", self.place.pick_port())
        self.live.make()
        self.live.start()
        return "the shipped settings are accepted; page checksums and archiving are on"

    def make_stanza(self) -> str:
        self.commands.run_pgbackrest("stanza-create")
        self.commands.run_pgbackrest("check")
        require(self.commands.read_info()["cipher"] == "aes-256-cbc", "the repository isn't encrypted")
        return "a segment went the whole way; the repository is encrypted"

    def prepare_platform(self) -> str:
        with self.live.connect("postgres") as connection:
            connection.execute("CREATE DATABASE apprun")
        self.platform = start_platform(self.place)
        self.platform.run(self.live, "-m", "config.preparation", DEMO="0")
        name = sql.Identifier(self.workspace_database)
        ddl = sql.Identifier(f"{self.workspace_database}_ddl")
        with self.live.connect("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(ddl))
        with self.live.connect(self.workspace_database) as connection:
            connection.execute(WORKSPACE_DATABASE)
            connection.execute(MORE_INVOICES, [INVOICES])
            connection.execute(sql.SQL("ALTER TABLE app.invoices OWNER TO {}").format(ddl))
        return f"the platform's schema, and {self.workspace_database} with {INVOICES} invoices"

    def back_up_fully(self) -> str:
        self.commands.run_pgbackrest("backup", "--type=full")
        return self._describe_newest("full")

    def back_up_writes(self) -> str:
        self.platform.run(self.live, "-m", "config.drill.filling")
        with self.live.connect(self.workspace_database) as connection:
            connection.execute(MORE_INVOICES, [INVOICES // 10])
        self.commands.run_pgbackrest("backup", "--type=incr")
        return "two workspaces made; " + self._describe_newest("incr")

    def write_on(self) -> str:
        """Writes that no backup holds, until their segments are archived by the time-out alone."""
        self.writer = Writer(self.live)
        self.writer.start()
        with self.live.connect(self.workspace_database) as connection:
            connection.execute(MORE_INVOICES, [100])
        self.writer.wait_for(50)
        archived = self._archived()
        give_up_at = time.monotonic() + 20
        while self._archived() == archived:
            require(time.monotonic() < give_up_at, "no segment was archived by archive_timeout")
            time.sleep(0.05)
        return f"{len(self.writer.acknowledged)} commits; a segment was archived by archive_timeout"

    def drop_by_mistake(self) -> str:
        """A workspace's schema and a table of its database go, while others write."""
        for database in ("apprun", self.workspace_database):
            with self.live.connect(database) as connection:
                self.before[database] = hash_rows(connection)
        written = len(self.writer.acknowledged)
        self.writer.wait_for(written + 10)
        with self.live.connect() as connection:
            self.just_before = self._read_clock(connection)
            schema = self._pick_workspace_schema()
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
        with self.live.connect(self.workspace_database) as connection:
            connection.execute("DROP TABLE app.invoices")
            self.just_after = self._read_clock(connection)
        written = len(self.writer.acknowledged)
        self.writer.wait_for(written + 10)
        self._wait_until_archived()
        return f"DROP SCHEMA {schema[:9]}… CASCADE, DROP TABLE app.invoices; the log of it is archived"

    def recover_to_just_before(self) -> str:
        with self.recovered(name="recovered", target=self.just_before) as (cluster, seconds):
            rows = self.require_equal(cluster)
            survivors = read_writes(cluster)
            require_all_before(survivors, self.writer.acknowledged, self.just_before)
            app = self.platform.require_working(cluster)
            sealed = self.platform.require_sealed_values_open(cluster)
        return (
            f"back after {seconds:.1f} s; {rows} rows in {sum(map(len, self.before.values()))} tables equal; "
            f"{len(survivors)} commits before the DROP, none after; "
            f"/readyz, {app}; {sealed}"
        )

    def take_one_database_out(self) -> str:
        """Only the workspace's database is restored, dumped, and loaded beside the damaged one."""
        name, returned = self.workspace_database, f"{self.workspace_database}_returned"
        dump = self.place.own / "one.dump"
        only = (f"--db-include={name}",)
        with self.recovered(name="extracted", target=self.just_before, options=only) as (cluster, seconds):
            size = sum(file.stat().st_blocks * 512 for file in cluster.data.rglob("*") if file.is_file())
            self.place.run(cluster, "pg_dump", "--format=custom", f"--file={dump}", f"--dbname={name}")
        with self.live.connect("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(returned)))
        self.place.run(self.live, "pg_restore", "--exit-on-error", f"--dbname={returned}", str(dump))
        with self.live.connect(returned) as connection:
            rows = compare(self.before[name], hash_rows(connection))
        return (
            f"restored in {seconds:.1f} s, {size // 2**20} MB on disk; loaded into the live server: {rows} rows equal"
        )

    def lose_everything(self) -> str:
        """Every process killed, the data directory gone; back from the repository alone."""
        self.writer.wait_for(len(self.writer.acknowledged) + 20)
        crashed = datetime.now(UTC)
        self.live.lose()
        self.writer.stop()
        began = time.monotonic()
        self.commands.run_pgbackrest("restore")
        self.live.start()
        survivors = read_writes(self.live)
        require_whole_prefix(survivors, self.writer.acknowledged)
        lost = crashed - survivors[-1][1]
        limit = timedelta(seconds=ARCHIVE_TIMEOUT_SECONDS) + ARCHIVING_ALLOWANCE
        require(lost <= limit, f"{write_span(lost)} of commits are lost, {write_span(limit)} is the most")
        seconds = time.monotonic() - began
        require(seconds < RECOVERY_TIME.total_seconds(), f"it took {seconds:.0f} s")
        missing = len(self.writer.acknowledged) - len(survivors)
        return (
            f"back after {seconds:.1f} s; {len(survivors)} commits survive, the last {missing} don't: "
            f"{lost.total_seconds():.1f} s, at most {write_span(limit)} (archive_timeout {ARCHIVE_TIMEOUT_SECONDS} s)"
        )

    def protect_again(self) -> str:
        """The restored cluster archives, is backed up, and the operators' check finds nothing."""
        self.commands.run_pgbackrest("check")
        self.commands.run_pgbackrest("backup", "--type=incr")
        self.require_check(holds=True)
        return "archiving goes on, a new incremental backup; the operators' check: everything holds"

    def find_damage(self) -> str:
        """A flipped bit in a backup, one in the log, and a lost segment are each found and named."""
        bundle = self._pick(self.place.repository / "backup", "*F/bundle/*")
        segment = self._pick(self.place.repository / "archive", "*/0000000100000000/*-*.zst")
        with damaged(bundle, flip):
            self.require_check(holds=False, named=f": {bundle.parents[1].name}/pg_data/")
        with damaged(segment, flip):
            self.require_check(holds=False, named=f"{segment.parent.name}/{segment.name}")
        with damaged(segment, Path.unlink):
            self.require_check(holds=False, named=f"missing: {segment.name[:24]}")
        self.require_check(holds=True)
        return "a flipped bit in a backup, one in the log, a lost segment: each found, the file named"

    def require_check(self, *, holds: bool, named: str = "") -> None:
        """The operators' check says so, and names the file. Raises DrillFailed."""
        now = datetime.now(UTC)
        verified = verify(commands=self.commands, now=now)
        findings = check_backups(commands=self.commands, limits=Limits(), now=now, verified=verified)
        broken = [f"{finding.name}: {finding.text}" for finding in findings if not finding.holds]
        require(bool(broken) != holds, f"the check says {broken or 'that everything holds'}")
        require(named in " | ".join(broken), f"the check doesn't name {named!r}: {broken}")

    def require_equal(self, cluster: Cluster) -> int:
        """The number of rows, all equal to those before the DROP. Raises DrillFailed."""
        rows = 0
        for database, hashes in self.before.items():
            with cluster.connect(database) as connection:
                rows += compare(hashes, hash_rows(connection))
        return rows

    @contextmanager
    def recovered(
        self, *, name: str, target: datetime, options: tuple[str, ...] = ()
    ) -> Iterator[tuple[Cluster, float]]:
        """A cluster beside the live one, as it was at the moment; with the seconds until it took writes."""
        cluster = Cluster(self.place, name, self.place.pick_port())
        began = time.monotonic()
        # Beside a live cluster it must not archive: two servers would write one timeline's segments.
        chosen = (
            "--archive-mode=off",
            "--target-action=promote",
            "--type=time",
            f"--target={target.isoformat(sep=' ')}",
        )
        self.place.commands(cluster).run_pgbackrest("restore", *chosen, *options)
        cluster.start()
        seconds = time.monotonic() - began
        require(seconds < RECOVERY_TIME.total_seconds(), f"it took {seconds:.0f} s")
        try:
            yield cluster, seconds
        finally:
            cluster.stop()
            shutil.rmtree(cluster.data)

    def _describe_newest(self, kind: str) -> str:
        newest = self.commands.read_info()["backup"][-1]
        require(newest["type"] == kind, f"the newest backup is {newest['type']}, not {kind}")
        require(not newest["error"], "page checksums were wrong")
        size, stored = newest["info"]["delta"], newest["info"]["repository"]["delta"]
        return f"{size / 2**20:.0f} MB in {stored / 2**20:.1f} MB"

    def _archived(self) -> str:
        return str(self.commands.read_info()["archive"][0]["max"])

    def _wait_until_archived(self) -> None:
        """Closes the segment that is written now and returns when it is in the repository."""
        with self.live.connect() as connection:
            row = connection.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn())").fetchone()
            connection.execute("SELECT pg_switch_wal()")
        assert row
        give_up_at = time.monotonic() + 20
        while self._archived() < row[0]:
            require(time.monotonic() < give_up_at, f"segment {row[0]} wasn't archived")
            time.sleep(0.05)

    @staticmethod
    def _read_clock(connection: psycopg.Connection[Any]) -> datetime:
        """The server's, by which commits are stamped."""
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row
        at: datetime = row[0]
        return at

    def _pick_workspace_schema(self) -> str:
        """The schema of a workspace with apps."""
        with self.live.connect() as connection:
            row = connection.execute(
                "SELECT schema_name FROM workspaces_workspace WHERE slug = 'finance-desk'"
            ).fetchone()
        if row is None:
            raise DrillFailed("the demo's workspace isn't there")
        return str(row[0])

    @staticmethod
    def _pick(folder: Path, pattern: str) -> Path:
        """A file of the repository: the middle one, so that the log goes on behind it."""
        found = sorted(folder.glob(f"apprun/{pattern}"))
        require(len(found) > 0, f"nothing is at {folder}/{pattern}")
        return found[len(found) // 2]


def flip(path: Path) -> None:
    """Changes one bit in the middle of the file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@contextmanager
def damaged(path: Path, damage: Callable[[Path], object]) -> Iterator[None]:
    """Has the file damaged inside of the `with`, and as it was afterwards."""
    content, owner = path.read_bytes(), path.stat()
    try:
        damage(path)
        yield
    finally:
        path.write_bytes(content)
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(owner.st_mode)
