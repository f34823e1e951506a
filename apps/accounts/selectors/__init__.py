from apps.accounts.selectors.overview import count_people

__all__ = ["count_people"]
