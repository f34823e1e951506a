"""How fast the platform is, against references that are measured in the same run (docs/benchmarks.md)."""
