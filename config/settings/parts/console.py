"""The two consoles' look; what stands in their sidebars is in apps/console/navigation.py."""

from typing import Any

from django.templatetags.static import static

_BASE: dict[str, Any] = {
    "SITE_TITLE": "AppRun",
    "SITE_HEADER": "AppRun",
    "SITE_SYMBOL": "rocket_launch",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("img/mark.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "8px",
    "STYLES": [lambda _request: static("css/console.css")],
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254)",
            "100": "oklch(93.2% .032 255)",
            "200": "oklch(88.2% .059 254)",
            "300": "oklch(80.9% .105 252)",
            "400": "oklch(70.7% .165 254)",
            "500": "oklch(62.3% .214 259)",
            "600": "oklch(54.6% .245 262)",
            "700": "oklch(48.8% .243 264)",
            "800": "oklch(42.4% .199 265)",
            "900": "oklch(37.9% .146 265)",
            "950": "oklch(28.2% .091 267)",
        }
    },
    "COMMAND": {"search_models": True, "show_history": False},
}

UNFOLD: dict[str, Any] = {
    **_BASE,
    "SITE_SUBHEADER": "Platform",
    "SITE_DROPDOWN": "apps.console.navigation.platform_switcher",
    "DASHBOARD_CALLBACK": "apps.console.dashboard.platform_dashboard",
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": "apps.console.navigation.platform_navigation",
    },
    "ACCOUNT": {"navigation": "apps.console.navigation.account_links"},
}

UNFOLD_WORKSPACE: dict[str, Any] = {
    **_BASE,
    "SITE_HEADER": "apps.console.navigation.workspace_header",
    "SITE_SUBHEADER": "apps.console.navigation.workspace_subheader",
    "SITE_DROPDOWN": "apps.console.navigation.workspace_switcher",
    "DASHBOARD_CALLBACK": "apps.console.dashboard.workspace_dashboard",
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": "apps.console.navigation.workspace_navigation",
    },
    "ACCOUNT": {"navigation": "apps.console.navigation.account_links"},
}
