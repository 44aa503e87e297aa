"""kube-prometheus-stack's alert about Pods that crash, from a real Prometheus through a real Alertmanager.

Rule, labels and the way are those of the chart; only what kube-state-metrics says of a Pod is made up, because users are to be
served all the while. Durations are divided by the lab's time scale.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from lab.scenes.prometheus import Prometheus
from lab.web import HttpServer

ALERT = "KubePodCrashLooping"
METRIC = "kube_pod_container_status_waiting_reason"
# As the chart has it.
RULE = {
    "alert": ALERT,
    "labels": {"severity": "warning"},
    "annotations": {
        "description": "Pod {{ $labels.namespace }}/{{ $labels.pod }} ({{ $labels.container }}) is in waiting state "
        '(reason: "CrashLoopBackOff").',
        "runbook_url": "https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping",
        "summary": "Pod is crash looping.",
    },
}
WINDOW, PENDING = 300.0, 900.0


class KubeState(Prometheus):
    """A Prometheus that asks a kube-state-metrics, which says that those Pods crash that it is told of."""

    crashing: tuple[tuple[str, str, str], ...] = ()

    def start(self) -> None:
        """Start what says it, and Prometheus; returns when that is ready."""
        state = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = state.said().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Scrapes are no news."""

        self._server = HttpServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, name="kube-state-metrics", daemon=True).start()
        super().start()

    def close(self) -> None:
        """End both."""
        super().close()
        self._server.shutdown()
        self._server.server_close()

    def crash(self, namespace: str, pod: str, container: str) -> None:
        """Say from now on that a Pod's container waits for its next start."""
        self.crashing = (*self.crashing, (namespace, pod, container))

    def said(self) -> str:
        """The metrics, as they are scraped."""
        lines = [
            f'{METRIC}{{namespace="{namespace}",pod="{pod}",container="{container}",reason="CrashLoopBackOff"}} 1'
            for namespace, pod, container in self.crashing
        ]
        return "\n".join([f"# TYPE {METRIC} gauge", *lines, ""])

    def _rules(self) -> dict[str, Any]:
        of = f'{METRIC}{{reason="CrashLoopBackOff", job="kube-state-metrics", namespace=~".*"}}'
        expression = f"max_over_time({of}[{self._short(WINDOW)}]) >= 1"
        rule = {**RULE, "expr": expression, "for": self._short(PENDING)}
        return {"groups": [{"name": "kubernetes-apps", "interval": "250ms", "rules": [rule]}]}

    def _config(self) -> dict[str, Any]:
        targets = [f"127.0.0.1:{self._server.server_port}"]
        return {
            **super()._config(),
            "global": {
                "evaluation_interval": "250ms",
                "external_labels": {"prometheus": "monitoring/kube-prometheus-stack-prometheus"},
            },
            "scrape_configs": [
                {
                    "job_name": "kube-state-metrics",
                    "honor_labels": True,
                    "scrape_interval": "1s",
                    "scrape_timeout": "1s",
                    "static_configs": [{"targets": targets}],
                }
            ],
        }
