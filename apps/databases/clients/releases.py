"""Which releases of PostgreSQL are safe to dump, and to dump and restore with.

What ``pg_dump`` reads was made by a workspace, and it reads as the superuser of the server. Known holes in that are
closed by minor releases only, so a release that has one of them is not used:

- CVE-2024-7348: whoever may make tables can have ``pg_dump`` run code as the one who dumps. Closed when both the server
  and the program are new enough (15.8, 16.4).
- CVE-2025-8715: names of tables with line ends in them become statements when the dump is restored; CVE-2025-8714: so
  does what a superuser of the server makes up. Closed in the programs (15.14, 16.10, 17.6).

What only a server that was taken over can do to its clients isn't asked for here: whoever has that, has its databases.
Keep the newest minor release all the same (docs/operations/database-servers.md).
"""

from __future__ import annotations

#: Major version → the oldest minor one that is safe; those that aren't named are from their first release on.
_SERVERS = {15: 8, 16: 4}
_PROGRAMS = {15: 14, 16: 10, 17: 6}


def server_fault(version: int) -> str:
    """Why a server of this server_version_num (such as 150018) is not dumped and gets no workspaces, as a sentence;
    empty when it is safe, or nobody has asked it yet (0)."""
    major, minor = divmod(version, 10_000)
    if minor >= _SERVERS.get(major, 0):
        return ""
    return (
        f"Its PostgreSQL is {major}.{minor}, in which a workspace could have its own code run as the server's "
        f"superuser while it is backed up (CVE-2024-7348). Upgrade it to {major}.{_SERVERS[major]} or a newer {major}."
    )


def is_safe_program(major: int, minor: int) -> bool:
    """Whether ``pg_dump`` and ``pg_restore`` of this release can be let near what a workspace wrote."""
    return minor >= _PROGRAMS.get(major, 0)


def safe_program(major: int) -> str:
    """The oldest release of this major version of which they can be used, such as ``15.14``."""
    return f"{major}.{_PROGRAMS.get(major, 0)}"
