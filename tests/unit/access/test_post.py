"""What a person is told when a function's URL does not answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from botocore.credentials import Credentials

from candlefish.errors import Unavailable
from cli.stack import Stack


def test_a_url_that_does_not_answer_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack("staging", "us-west-2")
    url = {"FunctionUrl": "http://127.0.0.1:9/"}
    client = SimpleNamespace(get_function_url_config=lambda **asked: url)
    monkeypatch.setattr(Stack, "client", lambda self, service: client)
    monkeypatch.setattr(Stack, "credentials", Credentials("key", "secret"))

    def silent(*asked: Any, **how: Any) -> Any:
        raise urllib3.exceptions.ReadTimeoutError(None, "/", "read timed out")  # type: ignore[arg-type]

    monkeypatch.setattr(urllib3, "request", silent)
    with pytest.raises(
        Unavailable, match=r"request-release did not answer within 30 s .*candlefish status -e staging"
    ):
        stack.look("website")
