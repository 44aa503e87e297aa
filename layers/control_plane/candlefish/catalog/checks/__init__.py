"""Checks of a catalog as a whole, by the part that they look at."""
