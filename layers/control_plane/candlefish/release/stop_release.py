"""Stop the execution of a release that is rolled back."""

from __future__ import annotations

from candlefish.ports import Executions
from candlefish.release.payloads import RollbackContext


def stop_release(request: RollbackContext, *, executions: Executions) -> None:
    """Stop the execution of the release that is rolled back; one that has ended is left as it is."""
    executions.stop(request.stop, error="RolledBack", cause=request.reason)
