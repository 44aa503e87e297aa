"""The product in virtual time: real machines and real functions over ports in memory, from a seed.

One process, no threads, no sockets. `candlefish lab simulate` and `make simulate` run days of it; tests play
scenarios in it. What it imitates and what it does not is in docs/simulator.md.
"""
