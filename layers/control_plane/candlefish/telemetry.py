"""Logs of every function. Lambda counts invocations, errors and durations by itself. Traces are made by Lambda and Step Functions themselves (docs/decisions/0009)."""

from __future__ import annotations

from aws_lambda_powertools import Logger

SERVICE = "candlefish-control-plane"
logger = Logger(service=SERVICE)
