"""Who does something: the value that services take, audit keeps and decisions name."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    USER = "user"
    API_KEY = "api_key"
    SERVICE_ACCOUNT = "service_account"
    OPERATOR = "operator"
    VISITOR = "visitor"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, program or the platform itself, as it was when it acted.

    ``user_id`` is the person behind it, if there is one (a member's API key acts for its member). ``impersonator`` is
    the operator who acts as that person.
    """

    kind: ActorKind
    id: UUID | None = None
    name: str = ""
    user_id: UUID | None = None
    impersonator: Actor | None = None
    request_id: str = ""
    address: str = ""
    #: The codes an API key is confined to; None for callers who may do all that their role says.
    scopes: frozenset[str] | None = field(default=None)


SYSTEM = Actor(kind=ActorKind.SYSTEM, name="AppRun")
