"""What can go wrong with workspaces, their members, roles and invitations."""

from apps.common.errors import Conflict, Denied, Gone, NotFound


class LastOwner(Conflict):
    """A workspace always has an owner who is an active member."""

    code = "last_owner"
    detail = "This is the workspace's last owner. Make somebody else an owner first."


class AlreadyMember(Conflict):
    """The person belongs to the workspace already."""

    code = "already_member"
    detail = "This person is a member of the workspace already."


class GrantsMoreThanHeld(Denied):
    """Nobody grants, or takes away, what they don't hold themselves."""

    code = "grants_more_than_held"

    def __init__(self, missing: frozenset[str], *, what: str) -> None:
        listed = ", ".join(sorted(missing))
        super().__init__(f"{what} holds permissions that you don't hold here: {listed}.", missing=sorted(missing))


class BuiltInRole(Conflict):
    """Built-in roles are the same everywhere."""

    code = "built_in_role"
    detail = "A built-in role can't be changed or deleted. Make a role of your own."


class RoleInUse(Conflict):
    """Members hold the role, or invitations offer it."""

    code = "role_in_use"


class RoleCodeTaken(Conflict):
    """The workspace has a role with this code already."""

    code = "role_code_taken"
    detail = "There is a role with this code already. Choose another code."


class InvitationUnknown(NotFound):
    """Nobody sent this token."""

    code = "invitation_unknown"
    detail = "This invitation doesn't exist. Open the link of the e-mail again, or ask for a new invitation."


class InvitationSpent(Conflict):
    """The invitation was accepted or revoked."""

    code = "invitation_spent"


class InvitationExpired(Gone):
    """The invitation's time is over."""

    code = "invitation_expired"
    detail = "This invitation has expired. Ask for a new one."


class InvitationForAnotherAddress(Denied):
    """An invitation is for whoever owns the address that it was sent to."""

    code = "invitation_for_another_address"
    detail = "This invitation was sent to another address than yours. Sign in with the address it was sent to."


class ServiceAccountNameTaken(Conflict):
    """The workspace has a service account with this name already."""

    code = "service_account_name_taken"
    detail = "There is a service account with this name already. Choose another name."


class SlugTaken(Conflict):
    """The slug belongs to another workspace, or did until lately."""

    code = "slug_taken"
    detail = "This slug is taken. Choose another one."


class TooManyWorkspaces(Conflict):
    """One person owns as many workspaces as one person may."""

    code = "too_many_workspaces"


class OwnerNotPresent(Conflict):
    """Ownership can go to an active member who is a person, and to nobody else."""

    code = "owner_must_be_an_active_member"
    detail = "Choose an active member who is a person."


class AlreadyPurging(Conflict):
    """The workspace's data are being deleted: there is no way back."""

    code = "already_purging"
    detail = "The grace period is over and this workspace is being deleted."


class PlanInUse(Conflict):
    """Workspaces are on the plan; ``count`` says how many."""

    code = "plan_in_use"

    def __init__(self, count: int) -> None:
        workspaces = "1 workspace is" if count == 1 else f"{count:,} workspaces are"
        super().__init__(f"{workspaces} on this plan. Put them on another plan first; closed ones count, too.")
