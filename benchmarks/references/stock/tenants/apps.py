from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "benchmarks.references.stock.tenants"
    label = "tenants"
