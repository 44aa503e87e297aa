"""A service in an environment: its record, and every way the record may change.

Everybody else asks or changes the record through `ports.ServiceRecords`; nothing here does I/O.
"""
