"""Inputs that nobody meant, to every parser of what comes from outside: a clear error or a correct run, nothing else."""
