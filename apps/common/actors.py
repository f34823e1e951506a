"""Who does something: the value that services take, audit keeps and decisions name."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
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

    def as_json(self) -> dict[str, Any]:
        """Who it was, to be kept in a row; without scopes, which hold only at the moment of the request."""
        return {
            "kind": str(self.kind),
            "id": str(self.id) if self.id else None,
            "name": self.name,
            "user_id": str(self.user_id) if self.user_id else None,
            "impersonator": self.impersonator.as_json() if self.impersonator else None,
            "request_id": self.request_id,
            "address": self.address,
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Actor:
        """The actor that ``as_json`` described."""
        return cls(
            kind=ActorKind(kept["kind"]),
            id=UUID(kept["id"]) if kept.get("id") else None,
            name=kept.get("name", ""),
            user_id=UUID(kept["user_id"]) if kept.get("user_id") else None,
            impersonator=cls.from_json(kept["impersonator"]) if kept.get("impersonator") else None,
            request_id=kept.get("request_id", ""),
            address=kept.get("address", ""),
        )


SYSTEM = Actor(kind=ActorKind.SYSTEM, name="AppRun")
