"""What can be wrong with changing plans."""

from apps.common.errors import Conflict


class BuiltInPlan(Conflict):
    """A built-in plan would be made again at the next start, and new workspaces begin on one."""

    code = "built_in_plan"
    detail = "A built-in plan can't be removed. Change its limits, or put workspaces on a plan of your own."
