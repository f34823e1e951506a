from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "benchmarks.fleet"
    label = "fleet"
