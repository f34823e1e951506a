"""The sign-in pages, and allauth's headless API beside ours."""

from django.urls import include, path

from apps.accounts import views

_OURS = [
    path(f"_allauth/{client}/v1/{address}", views.headless_view(view, client))
    for client in ("app", "browser")
    for address, view in (
        ("auth/2fa/authenticate", views.HeadlessAuthenticateView),
        ("auth/2fa/reauthenticate", views.HeadlessReauthenticateView),
    )
]

urlpatterns = [
    path("accounts/", views.account_home, name="account_home"),
    path("accounts/", include("allauth.urls")),
    *_OURS,
    path("_allauth/", include("allauth.headless.urls")),
]
