"""Environments that sleep at night: what is taken down, in which order, and how it comes back exactly."""
