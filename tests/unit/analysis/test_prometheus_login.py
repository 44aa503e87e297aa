"""The login at Prometheus: read once, read again when it was refused, and shown to nobody else."""

from __future__ import annotations

import base64

import pytest

from candlefish.adapters.http.prometheus_login import authorizer
from candlefish.errors import Misconfigured, Throttled, Unavailable


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ('{"token": "abc.def"}', "Bearer abc.def"),
        ('{"username": "judge", "password": "p:w"}', "Basic " + base64.b64encode(b"judge:p:w").decode()),
        ("abc.def\n", "Bearer abc.def"),
    ],
)
def test_a_secret_is_one_of_three(text: str, header: str) -> None:
    assert authorizer(lambda: text, "prometheus")(False) == header


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"token": 7}', '{"tokne": "s3cr3t"}', "two words s3cr3t", '{"token": "s3cr3t\\r\\nX: y"}'],
)
def test_what_is_no_login_is_unknown_and_is_not_quoted(text: str) -> None:
    with pytest.raises(Unavailable, match="secret prometheus is no login") as raised:
        authorizer(lambda: text, "prometheus")(False)
    assert "s3cr3t" not in str(raised.value)


def test_it_is_read_once_and_again_when_it_was_refused() -> None:
    texts = iter(["old", "new"])
    authorize = authorizer(lambda: next(texts), "prometheus")
    assert [authorize(fresh) for fresh in (False, False, True, False)] == [
        "Bearer old", "Bearer old", "Bearer new", "Bearer new",
    ]  # fmt: skip


@pytest.mark.parametrize("error", [Misconfigured("no such secret"), Throttled("slow down")])
def test_a_secret_that_cannot_be_read_is_no_evidence(error: Exception) -> None:
    def read() -> str:
        raise error

    with pytest.raises(Unavailable, match=f"{error}; the judge reads Prometheus with it"):
        authorizer(read, "prometheus")(False)
