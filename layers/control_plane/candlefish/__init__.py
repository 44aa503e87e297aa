"""Candlefish control plane: progressive delivery and operations on AWS serverless."""

from __future__ import annotations

import gc
import os

# The one place that says it: the wheel, `candlefish --version` and the changelog (tests/unit/house/test_packaging.py).
__version__ = "0.2.0"

# Imports make hundreds of thousands of objects that live for ever; looking through them again and
# again is a third of a cold start. `handler.handler` switches the collector on when all is imported.
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.disable()
