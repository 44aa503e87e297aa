"""Logs of every function. Lambda and Step Functions count and trace by themselves (docs/decisions/0009)."""

from __future__ import annotations

import logging
from typing import Any

SERVICE = "candlefish-control-plane"


def _logger() -> Any:
    """Powertools' in a function; the standard library's for the command, which is installed without it."""
    try:
        from aws_lambda_powertools import Logger
    except ModuleNotFoundError:
        return logging.getLogger(SERVICE)
    return Logger(service=SERVICE)


logger = _logger()
