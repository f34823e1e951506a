from apps.operations.selectors.overview import latest_failures

__all__ = ["latest_failures"]
