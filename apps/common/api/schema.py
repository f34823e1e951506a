"""How views become an OpenAPI document."""

from drf_spectacular.openapi import AutoSchema as StockAutoSchema


class AutoSchema(StockAutoSchema):
    """drf-spectacular's, with the conventions that all our views share."""
