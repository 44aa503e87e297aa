"""Weights of listener rules: shifting them, keeping them as the record wants them, and making the rules.

`shift.py` is the only code that writes the weights of users' traffic.
"""
