"""Costs: the bill by day, what the month will have cost, what sleeping saved, and what is done about it.

Stands on capacity: hours awake are what costs follow, and sleep is what helps against them.
"""
