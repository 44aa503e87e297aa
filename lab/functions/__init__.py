"""Runs handlers as Lambda runs them: a process for each worker, its own environment, timeouts that kill.

Workers are forked from a process that has imported what most handlers import, or start as clean interpreters that see
nothing but the function's artefact and its layers.
"""
