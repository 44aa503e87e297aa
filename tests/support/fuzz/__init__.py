"""Inputs that nobody meant, given to every parser of what comes from outside (`python -m tests.support.fuzz`)."""
