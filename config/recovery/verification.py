"""Understands `pgbackrest verify`, which ends with exit code 0 whatever it finds (2.45).

What it prints with `--output=text --verbose --log-level-console=info`:

    2026-11-21 04:39:37.454 P01   INFO: invalid checksum '15-1/0000000100000000/000000010000000000000005-….zst'
    2026-11-21 04:55:53.589 P02   INFO: invalid result 15-1/0000000100000000/000000010000000000000006-….zst: [29] raised
                                        from local-2 protocol: zst error: [-20] Data corruption detected
    stanza: apprun
    status: error
      archiveId: 15-1, total WAL checked: 6, total valid WAL: 5
        missing: 0, checksum invalid: 1, size invalid: 0, other: 0
      backup: 20261121-043840F, status: valid, total files checked: 967, total valid files: 967
        missing: 0, checksum invalid: 0, size invalid: 0, other: 0

It looks at the files that are there: of a WAL segment that is gone it says nothing, and calls the archive valid.
`find_gaps` in archive.py covers that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .errors import AnswerNotUnderstood

STATUS = re.compile(r"^status: (?P<status>\S+)$")
ARCHIVE = re.compile(
    r"^  archiveId: (?P<name>\S+), total WAL checked: (?P<checked>\d+), total valid WAL: (?P<valid>\d+)$"
)
BACKUP = re.compile(
    r"^  backup: (?P<name>\S+), status: (?P<status>\S+), "
    r"total files checked: (?P<checked>\d+), total valid files: (?P<valid>\d+)$"
)
COUNTS = re.compile(r"^    missing: \d+, checksum invalid: \d+, size invalid: \d+, other: \d+$")
LOG = r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ )?P\d+\s+[A-Z]+: "
FAULT = re.compile(LOG + r"(?P<kind>file missing|invalid \w+) '(?P<path>.+)'$")
UNREADABLE = re.compile(LOG + r"invalid result (?P<path>\S+?): \[\d+\]")
LOG_LINE = re.compile(LOG + "|^ {20}")
NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Part:
    """An archive of WAL, or a backup: how many of its files were read and found whole."""

    name: str
    status: str
    checked: int
    valid: int

    @property
    def is_whole(self) -> bool:
        return self.status in {"valid", "in-progress"} and self.checked == self.valid


@dataclass(frozen=True)
class Fault:
    """A file of the repository that isn't as it was written. Files in a bundle are named by what they hold."""

    kind: str
    path: str


@dataclass(frozen=True)
class Verification:
    """What a verification found."""

    status: str
    archives: tuple[Part, ...] = ()
    backups: tuple[Part, ...] = ()
    faults: tuple[Fault, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    @property
    def is_clean(self) -> bool:
        """Whether every file was found whole, of at least one backup and one archive."""
        parts = self.archives + self.backups
        whole = bool(self.archives and self.backups) and all(part.is_whole for part in parts)
        return whole and self.status == "ok" and not self.faults and not self.remarks

    def describe(self) -> str:
        """One line for people: what is whole, or which files aren't."""
        if self.is_clean:
            files = sum(part.checked for part in self.archives + self.backups)
            return f"{files} files of {len(self.backups)} backups and the archive are whole"
        said = [f"{fault.kind}: {fault.path}" for fault in self.faults[:NAMED_AT_MOST]]
        if len(self.faults) > NAMED_AT_MOST:
            said.append(f"and {len(self.faults) - NAMED_AT_MOST} more files")
        said += [f"{part.name} is {part.status}" for part in self.backups if not part.is_whole]
        said += [
            f"archive {part.name}: {part.checked - part.valid} segments damaged"
            for part in self.archives
            if not part.is_whole
        ]
        said += self.remarks
        return "; ".join(said) or f"status {self.status}, without a backup and an archive"


def parse_verification(text: str) -> Verification:
    """The output of `Commands.verify`. Raises AnswerNotUnderstood when no status, or an unknown line, stands in it."""
    status, archives, backups, faults, remarks = "", [], [], [], []
    for line in text.splitlines():
        if match := FAULT.match(line):
            faults.append(Fault(match["kind"], match["path"]))
        elif match := UNREADABLE.match(line):
            faults.append(Fault("unreadable", match["path"]))
        elif LOG_LINE.match(line) or COUNTS.match(line) or not line.strip() or line.startswith("stanza: "):
            continue
        elif match := STATUS.match(line):
            status = match["status"]
        elif match := ARCHIVE.match(line):
            archives.append(Part(match["name"], "valid", int(match["checked"]), int(match["valid"])))
        elif match := BACKUP.match(line):
            backups.append(Part(match["name"], match["status"], int(match["checked"]), int(match["valid"])))
        elif line.startswith("  ") and status:
            remarks.append(line.strip())
        else:
            raise AnswerNotUnderstood(f"pgbackrest verify said {line[:120]!r}")
    if not status:
        raise AnswerNotUnderstood("pgbackrest verify gave no status.")
    unique = tuple(dict.fromkeys(faults))
    return Verification(status, tuple(archives), tuple(backups), unique, tuple(remarks))
