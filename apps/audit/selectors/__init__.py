from apps.audit.selectors.overview import latest_acts

__all__ = ["latest_acts"]
