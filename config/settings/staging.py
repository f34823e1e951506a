"""Staging: production's rules, with its own name, and HSTS short enough to change one's mind."""

from config.settings.production import *
from config.settings.production import env

SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=3600)
SECURE_HSTS_PRELOAD = False
