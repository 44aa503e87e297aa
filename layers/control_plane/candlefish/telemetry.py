"""Logs and metrics of every function. Traces are made by Lambda and Step Functions themselves (docs/decisions/0009)."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics

SERVICE = "candlefish-control-plane"
logger = Logger(service=SERVICE)
metrics = Metrics(namespace="Candlefish", service=SERVICE)
