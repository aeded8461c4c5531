"""Measurements of the hub beside bare baselines: `python -m benchmarks [--full] [--only NAME]`."""
