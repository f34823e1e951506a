"""Where a new database goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Coalesce

from apps.databases.models import DatabaseServer, KeptDatabase, WorkspaceDatabase
from apps.databases.states import PRESENT

_GIBIBYTE = 1024**3


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """What is on a server: databases, and their bytes as they were measured last, kept copies included."""

    server: DatabaseServer
    databases: int
    size_bytes: int

    @property
    def share(self) -> float:
        """How full it is for its weight; a database counts as much as a gibibyte."""
        return (self.databases + self.size_bytes / _GIBIBYTE) / self.server.weight

    @property
    def has_room(self) -> bool:
        """Whether one more database fits."""
        server = self.server
        return (server.capacity_databases is None or self.databases < server.capacity_databases) and (
            server.capacity_bytes is None or self.size_bytes < server.capacity_bytes
        )


class Placement(Protocol):
    """Chooses among servers that take databases."""

    def choose(self, loads: Sequence[ServerLoad]) -> DatabaseServer | None:
        """The server for one more database; None when none has room."""
        ...


class WeightedLeastLoad:
    """The one with the least on it for its weight, of those that answered at the last look; else of the others, for
    they may be back."""

    def choose(self, loads: Sequence[ServerLoad]) -> DatabaseServer | None:
        with_room = [load for load in loads if load.has_room]
        if not with_room:
            return None
        return min(with_room, key=lambda load: (bool(load.server.error), load.share, load.server.name)).server


def server_loads(servers: QuerySet[DatabaseServer]) -> list[ServerLoad]:
    """The load of each of these servers, by name. Three queries."""
    chosen = list(servers.order_by("name"))
    present = (
        WorkspaceDatabase.objects.filter(server__in=chosen, status__in=PRESENT)
        .order_by()
        .values_list("server_id")
        .annotate(databases=Count("id"), size=Coalesce(Sum("size_bytes"), 0))
    )
    loads = {server_id: (databases, size) for server_id, databases, size in present}
    kept = dict(
        KeptDatabase.objects.present()
        .filter(database__server__in=chosen)
        .order_by()
        .values_list("database__server_id")
        .annotate(databases=Count("id"))
    )
    return [
        ServerLoad(
            server=server,
            databases=loads.get(server.pk, (0, 0))[0] + kept.get(server.pk, 0),
            size_bytes=loads.get(server.pk, (0, 0))[1],
        )
        for server in chosen
    ]
