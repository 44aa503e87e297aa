"""Recovery, shown: two regions with real databases behind them, and an application that counts what it lost.

The control plane runs in both regions of production, an application writes through the database's endpoint, and
each plan is driven through the deployed functions and machines as people do: asked for by one, approved by another.
What the product measured stands beside what the application saw. `candlefish lab recovery` runs it.
"""
