"""What several tables of the consoles are narrowed by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.contrib.filters.forms import RangeDateForm


class _DaysForm(RangeDateForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field, label in zip(self.fields.values(), ("From this day", "To this day"), strict=True):
            field.widget.input_type = "date"
            # Unfold's own calendar would stand in front of the browser's.
            shown = field.widget.attrs["class"].replace("vCustomDateField", "")
            field.widget.attrs |= {"class": shown, "aria-label": label}


class DaysFilter(RangeDateFilter):
    """From one day to another, both included, in UTC; what is no day is left aside."""

    form_class = _DaysForm

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "day, from and to (UTC)"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        begin, end = self._day("from"), self._day("to")
        if begin:
            queryset = queryset.filter(**{f"{self.field_path}__gte": _midnight(begin)})
        if end and end < date.max:
            queryset = queryset.filter(**{f"{self.field_path}__lt": _midnight(end + timedelta(days=1))})
        return queryset

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """The form, with the days as the browser's own field takes them."""
        for choice in super().choices(changelist):
            days = {f"{self.field_path}_{side}": self._day(side) for side in ("from", "to")}
            yield {**choice, "form": self.form_class(name=self.field_path, data=days)}

    def _day(self, side: str) -> date | None:
        try:
            return date.fromisoformat(str(self.used_parameters.get(f"{self.field_path}_{side}", "")))
        except ValueError:
            return None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min), UTC)
