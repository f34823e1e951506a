"""The states of an app."""

from django.db.models import TextChoices

from apps.common.states import Transitions


class AppStatus(TextChoices):
    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"
    DEPRECATED = "deprecated", "Deprecated"
    UNPUBLISHED = "unpublished", "Unpublished"
    ARCHIVED = "archived", "Archived"


_A = AppStatus

APP_TRANSITIONS = Transitions(
    _A,
    {
        _A.DRAFT: {_A.PUBLISHED, _A.ARCHIVED},
        _A.PUBLISHED: {_A.UNPUBLISHED, _A.DEPRECATED, _A.ARCHIVED},
        _A.DEPRECATED: {_A.PUBLISHED, _A.UNPUBLISHED, _A.ARCHIVED},
        _A.UNPUBLISHED: {_A.PUBLISHED, _A.ARCHIVED},
        _A.ARCHIVED: {_A.DRAFT, _A.UNPUBLISHED},
    },
)

#: The states in which visitors reach an app.
LIVE = frozenset({_A.PUBLISHED, _A.DEPRECATED})
