"""Candlefish control plane: progressive delivery and operations on AWS serverless."""
