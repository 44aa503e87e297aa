"""Ports in memory, one a port; contract tests hold each to its adapter (tests/unit/house/test_fakes.py is the table)."""
