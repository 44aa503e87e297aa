"""Failovers: bring a database, a cache or the application to another zone or region.

What is to be done follows from a stored run and the world alone (`decide`), so a failover that was killed
anywhere goes on. A step is one row with its judge and its act (`steps/`).
"""
