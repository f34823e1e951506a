"""What apps tell the platform about themselves: their events, and how many of them there are."""

from apps.applications.selectors.apps import find_app_id, name_apps
from apps.applications.services import archived_rows
from apps.applications.services.apps import count_apps
from apps.common.archiving import check_rows, leave_out
from apps.common.metering import declare_gauge
from apps.events.services import declare_event
from apps.workspaces.services.default_app import set_app_lookup

declare_event("app.created", "An app was made, anew or as a copy.")
declare_event("app.updated", "An app's name, slug or description changed.")
declare_event("app.version_created", "A version of an app was made.")
declare_event("app.published", "A version of an app went live.")
declare_event("app.rolled_back", "An older version of an app went live again.")
declare_event("app.unpublished", "An app was taken from its visitors.")
declare_event("app.deprecated", "An app was announced to go.")
declare_event("app.undeprecated", "An app that was announced to go stays.")
declare_event("app.archived", "An app was put away.")
declare_event("app.unarchived", "An app was taken back from the archive.")
declare_event("app.deleted", "An app was deleted for good.")
declare_event("app.access_changed", "Who may visit an app changed.")

declare_gauge("apps", lambda _: count_apps())
set_app_lookup(find_app_id, name_apps)

leave_out("applications_accesspolicy", "password_hash", why="A password of an app's visitors; set it anew.")
leave_out("applications_accesspolicy", "link_token", why="Whoever has the link gets in; make a new one.")
check_rows("applications_app", archived_rows.check_app)
check_rows("applications_appversion", archived_rows.check_version)
check_rows("applications_release", archived_rows.check_release)
check_rows("applications_accesspolicy", archived_rows.check_policy)
