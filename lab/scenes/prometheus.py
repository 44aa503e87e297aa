"""A real Prometheus beside the lab: it scrapes the lab's Pods and evaluates the rules that we ship.

Two things of `monitoring/prometheus` are changed: durations are divided by the lab's time scale, as everything is; and
Pods are found through a file that this module keeps up to date from the lab's Kubernetes API, with the labels that
Prometheus' own discovery would give them, because Debian builds Prometheus without it.

It may be started before there is a cluster, so that functions can be told of its address.
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
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from lab import ROOT
from lab.looks import looks
from lab.world import World

_SHIPPED = ROOT / "monitoring" / "prometheus"
LOG = logging.getLogger("lab")
_SCRAPE_SECONDS = 15.0
_LOOK_SECONDS = 0.3
# A window of PromQL needs at least two scrapes in it; four leave room for a late one.
_LEAST_SCRAPES = 4
# Who it lets in where it asks: a name, a password, and what bcrypt makes of the password.
USERNAME, PASSWORD = "candlefish", "lab-password"
_HASH = "$2b$04$rAloulKZax38s8RQvYHxQer3u0/gCRkbHmbkDmmIAMg9PhO51OGfW"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WINDOW = re.compile(r"(?<=\[)(\d+)(ms|s|m|h|d)(?=\])|(?<=offset )(\d+)(ms|s|m|h|d)")


def program() -> str | None:
    """Where Prometheus is, or None when it is not installed."""
    return shutil.which("prometheus")


class Programs:
    """Programs that run beside the lab, each with a log in `folder`, until they are closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self, name: str, *command: str) -> None:
        """Start one."""
        log = (self.folder / f"{name}.log").open("wb")
        self._processes.append(
            subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env={**os.environ, "GOMAXPROCS": "1"}
            )
        )
        log.close()

    def close(self) -> None:
        """End them all."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Prometheus:
    """One environment's Prometheus; it sends its alerts to the Alertmanagers at these ports of 127.0.0.1.

    With `login` it answers nobody but `USERNAME` with `PASSWORD`.
    """

    def __init__(
        self, world: World, environment: str, alertmanagers: Sequence[int] = (), login: bool = False
    ) -> None:
        found = program()
        if found is None:
            raise RuntimeError("prometheus is not installed; apt-get install it, or put it on the PATH")
        self._program = found
        self._world = world
        self._environment = environment
        self._alertmanagers = alertmanagers
        self._users = {USERNAME: _HASH} if login else {}
        pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"} if login else {}
        self._programs = Programs(world.directory / f"prometheus-{environment}")
        self._folder = self._programs.folder
        self._stopped = threading.Event()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Write the configuration and start it; returns when it is ready."""
        # What an earlier lab left in this directory is nobody's past.
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        (self._folder / "pods.json").unlink(missing_ok=True)
        files = {
            "rules.yaml": self._rules(),
            "prometheus.yaml": self._config(),
            "web.yaml": {"basic_auth_users": self._users},
        }
        for name, content in files.items():
            (self._folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
        threading.Thread(target=self._keep_discovering, name="discovery", daemon=True).start()
        self._programs.run(
            "prometheus",
            self._program,
            f"--config.file={self._folder / 'prometheus.yaml'}",
            f"--web.config.file={self._folder / 'web.yaml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
        )
        wait_ready(self.port, headers=self._headers)

    def close(self) -> None:
        """End it."""
        self._stopped.set()
        self._programs.close()

    def __enter__(self) -> Prometheus:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's result vector."""
        url = f"{self.url}/api/v1/query?query={urllib.request.quote(expression)}"  # type: ignore[attr-defined]
        with urllib.request.urlopen(urllib.request.Request(url, headers=self._headers), timeout=60) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def _keep_discovering(self) -> None:
        kubeconfig = self._world.directory / f"kubeconfig-{self._environment}"
        while not self._stopped.wait(_LOOK_SECONDS):
            # Until the environment is made there is nothing to find.
            if kubeconfig.exists():
                try:
                    self._discover(kubeconfig)
                except (OSError, ValueError):
                    LOG.exception("the Pods could not be listed")

    def _discover(self, kubeconfig: Path) -> None:
        """Write the Pods as targets, as `kubernetes_sd_configs` with the role `pod` would make them."""
        found = []
        for pod in _pods(kubeconfig, self._world.catalog.environments[self._environment].namespace):
            address, ports = pod["status"].get("podIP"), pod["spec"]["containers"][0].get("ports")
            if address and ports:
                target = f"{address}:{ports[0]['containerPort']}"
                found.append({"targets": [target], "labels": discovered(pod)})
        text = json.dumps(found)
        file = self._folder / "pods.json"
        if not file.exists() or file.read_text() != text:
            fresh = file.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(file)

    # --- what we ship, in lab time -----------------------------------------------------------------

    def _short(self, seconds: float, least: float = 0.1) -> str:
        return short(seconds, self._world.time_scale, least)

    def _rules(self) -> dict[str, Any]:
        rules: dict[str, Any] = yaml.safe_load((_SHIPPED / "candlefish.rules.yaml").read_text())
        for group in rules["groups"]:
            group["interval"] = self._short(_SCRAPE_SECONDS, 0.25)
            for rule in group["rules"]:
                rule["expr"] = _WINDOW.sub(self._window, rule["expr"])
                if "for" in rule:
                    number, unit = re.fullmatch(r"(\d+)([a-z]+)", rule["for"]).groups()  # type: ignore[union-attr]
                    rule["for"] = self._short(float(number) * UNITS[unit])
        return rules

    def _window(self, match: re.Match[str]) -> str:
        number, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
        least = _LEAST_SCRAPES * max(_SCRAPE_SECONDS / self._world.time_scale, 0.25)
        return self._short(float(number) * UNITS[unit], least)

    def _config(self) -> dict[str, Any]:
        (scrape,) = yaml.safe_load((_SHIPPED / "scrape.yaml").read_text())
        scrape["scrape_interval"] = scrape["scrape_timeout"] = self._short(_SCRAPE_SECONDS, 0.25)
        del scrape["kubernetes_sd_configs"]
        scrape["file_sd_configs"] = [{"files": [str(self._folder / "pods.json")], "refresh_interval": "1s"}]
        targets = [f"127.0.0.1:{port}" for port in self._alertmanagers]
        return {
            "global": {
                "evaluation_interval": self._short(_SCRAPE_SECONDS, 0.25),
                "external_labels": {"environment": self._environment},
            },
            "rule_files": [str(self._folder / "rules.yaml")],
            "scrape_configs": [scrape],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": targets}]}] if targets else []},
        }


def short(seconds: float, time_scale: float, least: float = 0.1) -> str:
    """A duration of ours as Prometheus writes it, in the lab's time, but at least so many seconds."""
    return f"{max(round(seconds / time_scale * 1000), round(least * 1000))}ms"


def discovered(pod: dict[str, Any]) -> dict[str, str]:
    """What Prometheus' own discovery with the role `pod` says of a Pod, as far as it is used here.

    Every label of it comes twice: its value, and that it is there.
    """
    meta = {
        "namespace": pod["metadata"]["namespace"],
        "pod_name": pod["metadata"]["name"],
        "pod_phase": pod["status"].get("phase", ""),
    }
    for name, value in pod["metadata"].get("labels", {}).items():
        written = re.sub("[^a-zA-Z0-9_]", "_", name)
        meta |= {f"pod_label_{written}": value, f"pod_labelpresent_{written}": "true"}
    return {f"__meta_kubernetes_{name}": value for name, value in meta.items()}


def _pods(kubeconfig: Path, namespace: str) -> list[dict[str, Any]]:
    """The Pods of a namespace, through the Kubernetes API, as the cluster's administrator."""
    config = json.loads(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    tls = ssl.create_default_context(cadata=authority)
    request = urllib.request.Request(
        f"{cluster['server']}/api/v1/namespaces/{namespace}/pods", headers=headers
    )
    with urllib.request.urlopen(request, timeout=60, context=tls) as answer:
        items: list[dict[str, Any]] = json.load(answer)["items"]
        return items


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_ready(port: int, seconds: float = 120.0, headers: Mapping[str, str] = MappingProxyType({})) -> None:
    """Wait until a program of Prometheus' family says that it is ready.

    Raises
    ------
    RuntimeError
        It does not.
    """
    said = ""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/-/ready", headers=dict(headers))
    for _ in looks(seconds, every=0.1):
        try:
            with urllib.request.urlopen(asked, timeout=1):
                return
        except (urllib.error.URLError, OSError) as error:
            said = str(error)
    raise RuntimeError(f"nothing is ready on port {port} after {seconds:.0f} s: {said}")
