from apps.billing.models.quota import ClosedPeriod, Quota, QuotaOverride
from apps.billing.models.reservation import Lease, Reservation
from apps.billing.models.usage import AppUsage, UsageEvent

__all__ = ["AppUsage", "ClosedPeriod", "Lease", "Quota", "QuotaOverride", "Reservation", "UsageEvent"]
