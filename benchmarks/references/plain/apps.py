from django.apps import AppConfig


class PlainConfig(AppConfig):
    name = "benchmarks.references.plain"
    label = "plain"
