"""How long a view waits for the cluster: anew each time that somebody looks."""

from __future__ import annotations

from typing import Any

import pytest

from candlefish.bootstrap import views as bootstrap
from candlefish.views.weights import KEPT
from tests.support.clock import Clock
from tests.support.traffic import FakeRules


def test_who_tells_the_real_weights_is_waited_for_anew_by_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of services without a load balancer it is the cluster, in a process that lives for hours."""
    clock, left = Clock(), []

    class Cluster(FakeRules):
        def listed(self, listener: str) -> list[dict[str, Any]]:
            left.append(patience.left())
            return []

    monkeypatch.setattr(bootstrap, "now", clock)
    patience = bootstrap.Patience(bootstrap.PATIENCE)
    monkeypatch.setattr(bootstrap, "_patience", lambda: patience)
    monkeypatch.setattr(bootstrap, "_movers", Cluster)
    rules = bootstrap.recent_rules.__wrapped__()
    for _ in range(3):
        rules.listed("cluster:worker:listener/shop")
        clock.forward(KEPT + bootstrap.PATIENCE)
    assert left == [bootstrap.PATIENCE] * 3
