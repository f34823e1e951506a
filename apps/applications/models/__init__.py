from apps.applications.models.access_policy import AccessPolicy
from apps.applications.models.app import App
from apps.applications.models.release import AppVersion, Release

__all__ = ["AccessPolicy", "App", "AppVersion", "Release"]
