"""Real PostgreSQL servers behind RDS's instances: dumps are dumps, replicas stream, connections break.

Needs the programs of PostgreSQL on this machine; `postgres.missing` says what is not there.
"""
