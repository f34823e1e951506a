from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "benchmarks.references.stock.shop"
    label = "shop"
