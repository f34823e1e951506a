from apps.operations.selectors.overview import latest_failures, operation_overview

__all__ = ["latest_failures", "operation_overview"]
