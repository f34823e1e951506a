"""The console's own forms."""

from __future__ import annotations

from django import forms

from apps.common.admin.acts import ReasonForm


class VisitForm(ReasonForm):
    """Why an operator looks into a workspace."""

    next = forms.CharField(widget=forms.HiddenInput, required=False)
