"""`candlefish lab move-in`: a live service comes to the control plane and goes back under load (docs/deploy.md, step 7)."""

from __future__ import annotations

from pathlib import Path

from lab.scenes.move_in import SHARES, run


def test_no_request_fails_while_a_live_service_moves_in_and_out(tmp_path: Path) -> None:
    said: list[str] = []
    assert run(tmp_path, said.append) == 0, "\n".join(said)
    assert len([line for line in said if "% on the new load balancer" in line]) == len(SHARES)
