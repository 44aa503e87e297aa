"""Candlefish control plane: progressive delivery and operations on AWS serverless."""

from __future__ import annotations

import gc
import os

# Imports make hundreds of thousands of objects that live for ever; looking through them again and
# again is a third of a cold start. `handler.handler` switches the collector on when all is imported.
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.disable()
