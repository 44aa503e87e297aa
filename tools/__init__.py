"""Checks and builds of this repository; nothing here is deployed."""
