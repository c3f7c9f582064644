"""Benchmarks: `minedisc bench NAME` prints figures with their goals and baselines."""
