"""The states of workspaces, slots, memberships and invitations."""

from django.db.models import TextChoices

from apps.common.states import Transitions


class WorkspaceStatus(TextChoices):
    PROVISIONING = "provisioning", "Provisioning"
    ACTIVE = "active", "Active"
    FAILED = "failed", "Failed"
    SUSPENDED = "suspended", "Suspended"
    CLOSING = "closing", "Closing"
    CLOSED = "closed", "Closed"
    PURGED = "purged", "Purged"


class SlotStatus(TextChoices):
    MAKING = "making", "Making"
    READY = "ready", "Ready"
    BROKEN = "broken", "Broken"
    CLAIMED = "claimed", "Claimed"


class MembershipStatus(TextChoices):
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    LEFT = "left", "Left"


class InvitationStatus(TextChoices):
    PENDING = "pending", "Pending"
    ACCEPTED = "accepted", "Accepted"
    REVOKED = "revoked", "Revoked"
    EXPIRED = "expired", "Expired"


_W, _S, _M, _I = WorkspaceStatus, SlotStatus, MembershipStatus, InvitationStatus

WORKSPACE_TRANSITIONS = Transitions(
    _W,
    {
        _W.PROVISIONING: {_W.ACTIVE, _W.FAILED},
        _W.FAILED: {_W.PROVISIONING},
        _W.ACTIVE: {_W.SUSPENDED, _W.CLOSING},
        _W.SUSPENDED: {_W.ACTIVE, _W.CLOSING},
        _W.CLOSING: {_W.CLOSED, _W.ACTIVE, _W.SUSPENDED},
        _W.CLOSED: {_W.PURGED, _W.ACTIVE, _W.SUSPENDED},
        _W.PURGED: set(),
    },
)
SLOT_TRANSITIONS = Transitions(
    _S,
    {
        _S.MAKING: {_S.READY, _S.BROKEN},
        _S.READY: {_S.CLAIMED, _S.MAKING},
        _S.BROKEN: {_S.MAKING},
        _S.CLAIMED: set(),
    },
)
MEMBERSHIP_TRANSITIONS = Transitions(
    _M,
    {_M.ACTIVE: {_M.SUSPENDED, _M.LEFT}, _M.SUSPENDED: {_M.ACTIVE, _M.LEFT}, _M.LEFT: set()},
)
INVITATION_TRANSITIONS = Transitions(
    _I,
    {
        _I.PENDING: {_I.ACCEPTED, _I.REVOKED, _I.EXPIRED},
        _I.ACCEPTED: set(),
        _I.REVOKED: set(),
        _I.EXPIRED: set(),
    },
)
