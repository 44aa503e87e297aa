"""A real Prometheus and a real Alertmanager beside the lab, with the rules and the configuration we ship.

Alertmanager posts to the control plane's endpoint with its token; its durations are divided by the lab's time scale.

Needs the programs `prometheus` and `prometheus-alertmanager` (or `alertmanager`) on the PATH.
"""

from __future__ import annotations

import re
import shutil
from typing import Any

import yaml

from lab import ROOT
from lab.scenes.driver import alert_token
from lab.scenes.prometheus import UNITS, Programs, Prometheus, free_port, program, short, wait_ready
from lab.world import Site, World

_SHIPPED = ROOT / "monitoring" / "alertmanager"


def programs() -> tuple[str, str] | None:
    """Where Prometheus and Alertmanager are, or None when one of them is not installed."""
    prometheus = program()
    alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    return (prometheus, alertmanager) if prometheus and alertmanager else None


class Monitoring:
    """Prometheus and one or more Alertmanagers (an HA pair posts everything twice) of one environment."""

    def __init__(
        self, world: World, environment: str, *, alertmanagers: int = 1, of: type[Prometheus] = Prometheus
    ) -> None:
        found = programs()
        if found is None:
            raise RuntimeError(
                "prometheus and prometheus-alertmanager are not installed; apt-get install them, or put both on the PATH"
            )
        _, self._alertmanager = found
        self._world = world
        self._site: Site = world.sites[environment]
        self._programs = Programs(world.directory / f"alertmanager-{environment}")
        self._folder = self._programs.folder
        self.alertmanagers = [free_port() for _ in range(alertmanagers)]
        self.prometheus = of(world, environment, self.alertmanagers)

    def start(self) -> None:
        """Write the configuration and start both; returns when they are ready."""
        config = self._folder / "alertmanager.yaml"
        config.write_text(yaml.safe_dump(self._config(), sort_keys=False))
        token = self._folder / "candlefish-token"
        token.touch(mode=0o600)
        token.write_text(alert_token(self._world, self._site.name))
        for number, port in enumerate(self.alertmanagers):
            self._programs.run(
                f"alertmanager-{number}",
                self._alertmanager,
                f"--config.file={config}",
                f"--storage.path={self._folder / f'alertmanager-{number}'}",
                f"--web.listen-address=127.0.0.1:{port}",
                # Each by itself, as while a pair is partitioned: everything is sent twice.
                "--cluster.listen-address=",
            )
        self.prometheus.start()
        for port in self.alertmanagers:
            wait_ready(port)

    def close(self) -> None:
        """End what was started."""
        self.prometheus.close()
        self._programs.close()

    def __enter__(self) -> Monitoring:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _config(self) -> dict[str, Any]:
        """What we ship, in lab time."""
        config: dict[str, Any] = yaml.safe_load((_SHIPPED / "alertmanager.yaml").read_text())
        (route,) = config["route"]["routes"]
        for name in ("group_interval", "repeat_interval"):
            number, unit = re.fullmatch(r"(\d+)([a-z]+)", route[name]).groups()  # type: ignore[union-attr]
            route[name] = short(float(number) * UNITS[unit], self._world.time_scale, 1.0)
        webhook = config["receivers"][1]["webhook_configs"][0]
        webhook["url"] = self._site.stack.outputs["AlertsUrl"]
        webhook["http_config"]["authorization"]["credentials_file"] = str(self._folder / "candlefish-token")
        return config
