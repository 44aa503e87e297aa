"""A real Prometheus and a real Alertmanager beside the lab, with the rules and the configuration we ship.

Prometheus scrapes the lab's Pods and evaluates `monitoring/prometheus/candlefish.rules.yaml`;
Alertmanager posts to the control plane's endpoint with its token. Two things are changed: durations
are divided by the lab's time scale, as everything is; and Pods are found through a file that this
module keeps up to date from the lab's Kubernetes API, with the labels that Prometheus' own discovery
would give them, because Debian builds Prometheus without it.

Needs the programs `prometheus` and `prometheus-alertmanager` (or `alertmanager`) on the PATH.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from lab import ROOT
from lab.world import Site, World

_SHIPPED = ROOT / "monitoring"
LOG = logging.getLogger("lab")
_SCRAPE_SECONDS = 15.0
_LOOK_SECONDS = 0.3
# A window of PromQL needs at least two scrapes in it; four leave room for a late one.
_LEAST_SCRAPES = 4
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WINDOW = re.compile(r"(?<=\[)(\d+)(ms|s|m|h|d)(?=\])|(?<=offset )(\d+)(ms|s|m|h|d)")


def programs() -> tuple[str, str] | None:
    """Where Prometheus and Alertmanager are, or None when one of them is not installed."""
    prometheus = shutil.which("prometheus")
    alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    return (prometheus, alertmanager) if prometheus and alertmanager else None


class Monitoring:
    """Prometheus and one or more Alertmanagers (an HA pair posts everything twice) of one environment."""

    def __init__(self, world: World, environment: str, *, alertmanagers: int = 1) -> None:
        found = programs()
        if found is None:
            raise RuntimeError(
                "prometheus and prometheus-alertmanager are not installed; apt-get install them, or put both on the PATH"
            )
        self._prometheus, self._alertmanager = found
        self._world = world
        self._site: Site = world.sites[environment]
        self._environment = environment
        self._scale = world.time_scale
        self._folder = world.directory / f"monitoring-{environment}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stopped = threading.Event()
        self._pods = _Pods(world.directory / f"kubeconfig-{environment}")
        self.port = _free_port()
        self.alertmanagers = [_free_port() for _ in range(alertmanagers)]

    def start(self) -> None:
        """Write the configuration and start both; returns when they are ready."""
        files = {
            "rules.yaml": self._rules(),
            "prometheus.yaml": self._prometheus_config(),
            "alertmanager.yaml": self._alertmanager_config(),
        }
        for name, content in files.items():
            (self._folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
        token = self._folder / "candlefish-token"
        token.touch(mode=0o600)
        token.write_text(self.token())
        self._discover()
        threading.Thread(target=self._keep_discovering, name="discovery", daemon=True).start()
        for number, port in enumerate(self.alertmanagers):
            self._run(
                f"alertmanager-{number}",
                self._alertmanager,
                f"--config.file={self._folder / 'alertmanager.yaml'}",
                f"--storage.path={self._folder / f'alertmanager-{number}'}",
                f"--web.listen-address=127.0.0.1:{port}",
                # Each by itself, as while a pair is partitioned: everything is sent twice.
                "--cluster.listen-address=",
            )
        self._run(
            "prometheus",
            self._prometheus,
            f"--config.file={self._folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
        )
        for port in (self.port, *self.alertmanagers):
            _wait_ready(port)

    def close(self) -> None:
        """End what was started."""
        self._stopped.set()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Monitoring:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def token(self) -> str:
        """The endpoint's token, as an operator reads it from the secret."""
        secret = self._world.clients(self._site.region)("secretsmanager").get_secret_value(
            SecretId=self._site.stack.outputs["AlertTokensSecret"]
        )
        stored = json.loads(secret["SecretString"])
        return str(stored["tokens"][0]["token"] if "tokens" in stored else stored["token"])

    def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's result vector."""
        url = f"http://127.0.0.1:{self.port}/api/v1/query?query={urllib.request.quote(expression)}"  # type: ignore[attr-defined]
        with urllib.request.urlopen(url, timeout=60) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def _run(self, name: str, *command: str) -> None:
        log = (self._folder / f"{name}.log").open("wb")
        self._processes.append(
            subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder, env={**os.environ, "GOMAXPROCS": "1"}
            )
        )
        log.close()

    def _keep_discovering(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                self._discover()
            except OSError:
                LOG.exception("the Pods could not be listed")

    def _discover(self) -> None:
        """Write the Pods as targets, as `kubernetes_sd_configs` with the role `pod` would make them."""
        found = []
        for pod in self._pods.list(self._world.catalog.environments[self._environment].namespace):
            address, ports = pod["status"].get("podIP"), pod["spec"]["containers"][0].get("ports")
            if not address or not ports:
                continue
            meta = {
                "namespace": pod["metadata"]["namespace"],
                "pod_name": pod["metadata"]["name"],
                "pod_phase": pod["status"].get("phase", ""),
            }
            for name, value in pod["metadata"].get("labels", {}).items():
                meta[f"pod_label_{re.sub('[^a-zA-Z0-9_]', '_', name)}"] = value
            labels = {f"__meta_kubernetes_{name}": value for name, value in meta.items()}
            found.append({"targets": [f"{address}:{ports[0]['containerPort']}"], "labels": labels})
        text = json.dumps(found)
        file = self._folder / "pods.json"
        if not file.exists() or file.read_text() != text:
            fresh = file.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(file)

    # --- what we ship, in lab time -----------------------------------------------------------------

    def _short(self, seconds: float, least: float = 0.1) -> str:
        return f"{max(round(seconds / self._scale * 1000), round(least * 1000))}ms"

    def _rules(self) -> dict[str, Any]:
        rules: dict[str, Any] = yaml.safe_load(
            (_SHIPPED / "prometheus" / "candlefish.rules.yaml").read_text()
        )
        for group in rules["groups"]:
            group["interval"] = self._short(_SCRAPE_SECONDS, 0.25)
            for rule in group["rules"]:
                rule["expr"] = _WINDOW.sub(self._window, rule["expr"])
                if "for" in rule:
                    number, unit = re.fullmatch(r"(\d+)([a-z]+)", rule["for"]).groups()  # type: ignore[union-attr]
                    rule["for"] = self._short(float(number) * _UNITS[unit])
        return rules

    def _window(self, match: re.Match[str]) -> str:
        number, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
        least = _LEAST_SCRAPES * max(_SCRAPE_SECONDS / self._scale, 0.25)
        return self._short(float(number) * _UNITS[unit], least)

    def _prometheus_config(self) -> dict[str, Any]:
        (scrape,) = yaml.safe_load((_SHIPPED / "prometheus" / "scrape.yaml").read_text())
        scrape["scrape_interval"] = scrape["scrape_timeout"] = self._short(_SCRAPE_SECONDS, 0.25)
        del scrape["kubernetes_sd_configs"]
        scrape["file_sd_configs"] = [{"files": [str(self._folder / "pods.json")], "refresh_interval": "1s"}]
        return {
            "global": {
                "evaluation_interval": self._short(_SCRAPE_SECONDS, 0.25),
                "external_labels": {"environment": self._environment},
            },
            "rule_files": [str(self._folder / "rules.yaml")],
            "scrape_configs": [scrape],
            "alerting": {
                "alertmanagers": [
                    {"static_configs": [{"targets": [f"127.0.0.1:{port}" for port in self.alertmanagers]}]}
                ]
            },
        }

    def _alertmanager_config(self) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load((_SHIPPED / "alertmanager" / "alertmanager.yaml").read_text())
        (route,) = config["route"]["routes"]
        for name in ("group_interval", "repeat_interval"):
            number, unit = re.fullmatch(r"(\d+)([a-z]+)", route[name]).groups()  # type: ignore[union-attr]
            route[name] = self._short(float(number) * _UNITS[unit], 1.0)
        webhook = config["receivers"][1]["webhook_configs"][0]
        webhook["url"] = self._site.stack.outputs["AlertsUrl"]
        webhook["http_config"]["authorization"]["credentials_file"] = str(self._folder / "candlefish-token")
        return config


class _Pods:
    """Lists Pods through the Kubernetes API, as the cluster's administrator."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._server = cluster["server"]
        self._headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)

    def list(self, namespace: str) -> list[dict[str, Any]]:
        """The Pods of a namespace."""
        request = urllib.request.Request(
            f"{self._server}/api/v1/namespaces/{namespace}/pods", headers=self._headers
        )
        with urllib.request.urlopen(request, timeout=60, context=self._tls) as answer:
            items: list[dict[str, Any]] = json.load(answer)["items"]
            return items


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_ready(port: int, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1):
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"nothing is ready on port {port} after {seconds:.0f} s: {error}"
                ) from error
        time.sleep(0.1)
