"""The judge over many releases at once, in numpy: the same decisions as `candlefish.analysis`, window by window.

The function judges one release and ships without numpy; `candlefish judge` and the benchmark judge thousands. Tests hold
the two to each other (tests/unit/analysis/test_many.py).
"""
