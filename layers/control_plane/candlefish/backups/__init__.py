"""Backups: whether they are there and young enough (the audit), and whether they can be used (the drill).

Every promise about backups is a rule over what was read; a drill restores one, reads it, measures and deletes.
The probe is the only function inside the database's network; it writes the heartbeat that both measure by.
"""
