"""Signals: alarms and alerts in one form, what they lead to, and the guard that stands before it.

An alert becomes a signal (`classify`), a decision (`decide`), a claim in the guard's memory (`record`) and a
response that the `respond` machine carries out and looks at again. What people hear of it is in `news`.
"""
