"""Signals: alarms and alerts in one form, what they lead to, and the guard that stands before it."""
