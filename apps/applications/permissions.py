"""The permission codes of apps."""

from apps.common.permissions import declare

declare("apps.view", "See apps, drafts, versions and releases", roles=["admin", "developer", "operator", "viewer"])
declare("apps.create", "Make and duplicate apps", roles=["admin", "developer"])
declare("apps.edit", "Change an app's name and draft, and make versions of it", roles=["admin", "developer"])
declare("apps.publish", "Publish, roll back, unpublish and deprecate apps", roles=["admin", "developer", "operator"])
declare("apps.access", "Change which members visit an app, how often, from where", roles=["admin", "developer"])
declare("apps.expose", "Open an app to anonymous visitors", roles=["admin"])
declare("apps.archive", "Archive apps and take them back", roles=["admin", "developer"])
declare("apps.delete", "Delete apps for good", roles=["admin"])
