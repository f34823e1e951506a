from importlib import import_module

Migration = import_module("benchmarks.fleet.before.0001_initial").Migration
