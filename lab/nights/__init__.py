"""Weeks of sleeping and waking environments in simulated time: the product's decisions over a world of records.

No emulator runs; a week takes seconds. `candlefish lab week` tells one.
"""
