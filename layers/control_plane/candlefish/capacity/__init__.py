"""Capacity: environments that sleep at night; what is taken down, in which order, and how it comes back exactly.

The calendar says when, `kinds` what sleeps and how, `assess` what comes next from what is seen now. The record
holds the originals until all are restored. `world` is the environment as a whole, behind three ports.
"""
