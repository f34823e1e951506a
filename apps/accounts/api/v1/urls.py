"""Addresses of the accounts' endpoints."""

from django.urls import path

from apps.accounts.api.v1 import auth_views, me_views

urlpatterns = [
    path("auth/login", auth_views.SignInView.as_view(), name="auth-login"),
    path("auth/refresh", auth_views.RefreshView.as_view(), name="auth-refresh"),
    path("auth/logout", auth_views.SignOutView.as_view(), name="auth-logout"),
    path("auth/verify-email", auth_views.VerifyEmailView.as_view(), name="auth-verify-email"),
    path("auth/password/forgot", auth_views.ForgotPasswordView.as_view(), name="auth-password-forgot"),
    path("auth/password/reset", auth_views.ResetPasswordView.as_view(), name="auth-password-reset"),
    path("auth/password/change", auth_views.ChangePasswordView.as_view(), name="auth-password-change"),
    path("me", me_views.MeView.as_view(), name="me"),
    path("me/sessions", me_views.SessionViewSet.as_view({"get": "list"}), name="me-sessions"),
    path("me/sessions/<str:session>", me_views.SessionViewSet.as_view({"delete": "destroy"}), name="me-session"),
    path("me/mfa", me_views.MfaView.as_view(), name="me-mfa"),
    path("me/mfa/totp/setup", me_views.TotpSetupView.as_view(), name="me-mfa-totp-setup"),
    path("me/mfa/totp/activate", me_views.TotpActivateView.as_view(), name="me-mfa-totp-activate"),
    path("me/mfa/totp/deactivate", me_views.TotpDeactivateView.as_view(), name="me-mfa-totp-deactivate"),
    path("me/mfa/recovery-codes", me_views.RecoveryCodesView.as_view(), name="me-mfa-recovery-codes"),
    path("me/export", me_views.ExportView.as_view(), name="me-export"),
    path("me/erase", me_views.EraseView.as_view(), name="me-erase"),
]
