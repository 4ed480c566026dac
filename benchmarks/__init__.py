"""Benchmarks: `python -m benchmarks.NAME`. Each prints a table, and one JSON object as its last line."""
