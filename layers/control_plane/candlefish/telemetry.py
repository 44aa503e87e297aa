"""Logs of every function. Lambda and Step Functions count and trace by themselves (docs/decisions/0009)."""

from __future__ import annotations

from aws_lambda_powertools import Logger

SERVICE = "candlefish-control-plane"
logger = Logger(service=SERVICE)
