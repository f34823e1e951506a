"""Runs `pgbackrest` and `psql`, whose settings are in their own files and environment (PGBACKREST_*, PG*)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import AnswerNotUnderstood, CommandFailed


@dataclass(frozen=True)
class Commands:
    """How the programs are called. `environment` replaces this process's; `options` go to `subprocess.run` (the
    account to become)."""

    stanza: str
    pgbackrest: str = "pgbackrest"
    psql: str = "psql"
    environment: Mapping[str, str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def run_pgbackrest(self, command: str, *arguments: str) -> str:
        """Its standard output. Raises CommandFailed with what it said."""
        return self._run([self.pgbackrest, f"--stanza={self.stanza}", *arguments, command])

    def read_info(self) -> dict[str, Any]:
        """`pgbackrest info` of the stanza (doc: Command Reference, info)."""
        found = read_json(self.run_pgbackrest("info", "--output=json"))
        if not (isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict)):
            raise AnswerNotUnderstood("pgbackrest info didn't describe one stanza.")
        return found[0]

    def list_archive(self) -> list[str]:
        """The paths of the stanza's archived files, relative to its archive."""
        place = f"archive/{self.stanza}"
        found = read_json(self._run([self.pgbackrest, "repo-ls", "--recurse", "--output=json", place]))
        if not isinstance(found, dict):
            raise AnswerNotUnderstood("pgbackrest repo-ls didn't list files.")
        return sorted(path for path, entry in found.items() if entry.get("type") == "file")

    def verify(self) -> str:
        """What `pgbackrest verify` says, with the damaged files that it names only in its log."""
        return self.run_pgbackrest(
            "verify",
            *(
                "--output=text",
                "--verbose",
                "--log-level-console=info",
                "--log-level-stderr=off",
                "--log-level-file=off",
            ),
        )

    def query(self, sql: str) -> dict[str, Any]:
        """The JSON object that the query yields, from the server that the PG* variables name."""
        answer = self._run([self.psql, "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
        found = read_json(answer)
        if not isinstance(found, dict):
            raise AnswerNotUnderstood("psql didn't answer with an object.")
        return found

    def _run(self, command: list[str]) -> str:
        environment = None if self.environment is None else dict(self.environment)
        try:
            done = subprocess.run(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                encoding="utf-8",
                errors="replace",
                env=environment,
                cwd="/",
                **self.options,
            )
        except OSError as error:
            raise CommandFailed(f"{Path(command[0]).name} can't be run: {error.strerror}") from None
        if done.returncode:
            said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
            raise CommandFailed(f"{Path(command[0]).name} ended with {done.returncode}: {said[-600:]}")
        return str(done.stdout)


def read_json(text: str) -> Any:
    """The parsed text. Raises AnswerNotUnderstood."""
    try:
        return json.loads(text)
    except ValueError:
        raise AnswerNotUnderstood(f"expected JSON, got {text[:80]!r}") from None
