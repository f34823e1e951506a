from apps.operations.selectors.overview import latest_failures, operation_counts

__all__ = ["latest_failures", "operation_counts"]
