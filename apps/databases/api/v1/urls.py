"""Addresses of the endpoints of databases, each noun in its own module."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
