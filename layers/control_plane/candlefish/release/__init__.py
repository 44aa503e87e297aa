"""Releases: one attempt to bring a version to a service, from the request to the end of its rollback window.

`payloads` is what crosses the state machines, `plan` what a release will do, `journal` what it did; a use case
stands in the module of its function.
"""
