"""The two consoles, and the bases of what they show.

The platform's console is for operators, a workspace's for its members. Each app registers its own tables in its
``admin.py`` with ``platform_site`` or ``workspace_site``; everything is read-only, and changes are *acts* that call a
service.
"""

from apps.common.admin.acts import Act, ActContext, ActForm, Preview, PreviewTable, ReasonForm, contribute_act
from apps.common.admin.readonly import PlatformAdmin, WorkspaceAdmin
from apps.common.admin.sites import platform_site, workspace_site

__all__ = [
    "Act",
    "ActContext",
    "ActForm",
    "PlatformAdmin",
    "Preview",
    "PreviewTable",
    "ReasonForm",
    "WorkspaceAdmin",
    "contribute_act",
    "platform_site",
    "workspace_site",
]
