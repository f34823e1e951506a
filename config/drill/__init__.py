"""`make drill`: loses a whole cluster on purpose, gets it back by pgBackRest, and measures and compares.

Everything happens on clusters of its own on loopback ports, in a temporary folder, with the settings that are shipped
in `deploy/pgbackrest/`; what differs from production is said where it is set (`place.py`).
"""
