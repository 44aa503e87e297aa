"""Grafana's dashboards as files, and what provisions them: CloudWatch has the control plane's metrics, Prometheus services'.

Data sources are variables of the dashboard, so that a file names none. What is asked of Prometheus are the series that
monitoring/prometheus/candlefish.rules.yaml records, with the labels of its scrape job.
"""

from __future__ import annotations

import json
from typing import Any

from candlefish.measures import METRICS, NAMESPACE
from tools.boards.cloudwatch import AMBER, BLUE, GREY, HARM

Json = dict[str, Any]
CLOUDWATCH: Json = {"type": "cloudwatch", "uid": "${cloudwatch}"}
PROMETHEUS: Json = {"type": "prometheus", "uid": "${prometheus}"}
# A slot has traffic from this many requests a second on, as in the rules.
HEARD = 0.2
SLOT = '{namespace=~"$namespace", service=~"$service"}'


def files() -> dict[str, str]:
    """Every file below monitoring/grafana, by its name."""
    return {
        "dashboards/candlefish-releases.json": _file(releases()),
        "dashboards/candlefish-services.json": _file(services()),
        "provisioning/dashboards/candlefish.yaml": _PROVIDER,
        "provisioning/datasources/candlefish.yaml": _SOURCES,
    }


def _file(board: Json) -> str:
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


_PROVIDER = """# Put into Grafana's provisioning/dashboards; the dashboards are mounted beside it.
apiVersion: 1
providers:
  - name: candlefish
    folder: Candlefish
    type: file
    disableDeletion: true
    allowUiUpdates: false
    options:
      path: /etc/grafana/dashboards/candlefish
"""
_SOURCES = """# Put into Grafana's provisioning/datasources, or leave it where you have these two already.
# Grafana's role needs cloudwatch:GetMetricData, ListMetrics and GetMetricStatistics; nothing of the control plane.
apiVersion: 1
datasources:
  - name: CloudWatch
    type: cloudwatch
    jsonData:
      authType: default
      defaultRegion: $AWS_REGION
  - name: Prometheus
    type: prometheus
    access: proxy
    url: $PROMETHEUS_URL
    jsonData:
      httpMethod: POST
"""


# --- the boards --------------------------------------------------------------------------------


def releases() -> Json:
    """DORA's measures, ends of releases, the judge, signals, reconcilers, costs."""
    rows = [
        [
            _stat(
                "Deployment frequency: releases promoted", [_own("ReleasesPromoted", "Sum")], "short", BLUE
            ),
            _stat(
                "Lead time: asked for to promoted, median",
                [_own("LeadTime", "p50")],
                "s",
                BLUE,
                calc="median",
            ),
            _stat("Change failure rate", _failure_rate(), "percent", HARM, calc="lastNotNull"),
            _stat("Time to restore, median", [_own("TimeToRestore", "p50")], "s", HARM, calc="median"),
        ],
        [
            _series(
                "Releases by their end",
                [
                    _own("ReleasesPromoted", "Sum", "promoted"),
                    _own("ReleasesRolledBack", "Sum", "rolled back"),
                    _own("ReleasesRefused", "Sum", "refused"),
                ],
                {"promoted": BLUE, "rolled back": HARM, "refused": GREY},
                bars=True,
            ),
            _series(
                "Changes delivered, and taken back as bad",
                [
                    _own("ChangesDelivered", "Sum", "delivered"),
                    _own("ChangesFailed", "Sum", "taken back as bad"),
                ],
                {"delivered": BLUE, "taken back as bad": HARM},
                bars=True,
            ),
        ],
        [
            _evidence(),
            _series(
                "What the judge said",
                [
                    _own("JudgedGood", "Sum", "no sign of harm"),
                    _own("JudgedBad", "Sum", "harm"),
                    _own("JudgeAsked", "Sum", "cannot tell"),
                ],
                {"no sign of harm": BLUE, "harm": HARM, "cannot tell": AMBER},
                bars=True,
            ),
        ],
        [
            _series(
                "Signals: acted on, refused by the guard",
                [_own("SignalsActed", "Sum", "acted on"), _own("SignalsRefused", "Sum", "refused")],
                {"acted on": HARM, "refused": GREY},
                bars=True,
            ),
            _series(
                "Reconcilers",
                [
                    _own("Repairs", "Sum", "put right"),
                    _own("ChangedByOthers", "Sum", "changed by somebody else"),
                    _own("NotPutRight", "Maximum", "left to a person"),
                ],
                {"put right": BLUE, "changed by somebody else": HARM, "left to a person": AMBER},
            ),
            _series(
                "Cost of the month",
                [_own("CostForecast", "Maximum", "forecast"), _own("CostTarget", "Maximum", "target")],
                {"forecast": BLUE, "target": GREY},
                unit="currencyUSD",
            ),
        ],
    ]
    return _board("candlefish-releases", "Candlefish: releases", rows, "now-30d")


def services() -> Json:
    """One service at a time: both slots' traffic, failures and response times, and the evidence of its release."""
    failed = f"candlefish:errors:rate1m{SLOT} / (candlefish:requests:rate1m{SLOT} > {HEARD})"
    slow = (
        f"histogram_quantile(%s, sum by (namespace, service, slot, le) (rate(http_request_duration_seconds_bucket{SLOT}"
        "[$__rate_interval])))"
    )
    rows = [
        [
            _series(
                "Requests a second, by slot",
                [_ask(f"candlefish:requests:rate1m{SLOT}")],
                unit="reqps",
                stacked=True,
            )
        ],
        [
            _series("Failed, by slot", [_ask(failed)], unit="percentunit"),
            _series(
                "Response times, by slot",
                [_ask(slow % 0.5, "{{slot}} median"), _ask(slow % 0.95, "{{slot}} 95%")],
                unit="s",
            ),
        ],
        [
            _evidence(),
            _series(
                "Pods that answer, by slot",
                [_ask(f'sum by (slot) (up{{job="candlefish-services", {SLOT[1:]})')],
            ),
        ],
        [
            _series(
                "Requests by target group, as the load balancer counts them",
                [
                    _cloudwatch(
                        "AWS/ApplicationELB", "RequestCount", "Sum", {"LoadBalancer": "*", "TargetGroup": "*"}
                    )
                ],
            )
        ],
    ]
    return _board("candlefish-services", "Candlefish: services by slot", rows, "now-3h", prometheus=True)


# --- what is asked -----------------------------------------------------------------------------


def _own(name: str, stat: str, label: str = "", *, by_service: bool = False, **more: Any) -> Json:
    metric = METRICS[name]
    dimensions = {"Environment": "$environment"}
    if by_service:
        assert metric.by_service, name
        dimensions["Service"] = "*"
    return _cloudwatch(NAMESPACE, name, stat, dimensions, label, **more)


def _cloudwatch(
    namespace: str, name: str, stat: str, dimensions: dict[str, str], label: str = "", **more: Any
) -> Json:
    return {
        "datasource": CLOUDWATCH,
        "queryMode": "Metrics",
        "metricQueryType": 0,
        "metricEditorMode": 0,
        "region": "$region",
        "namespace": namespace,
        "metricName": name,
        "dimensions": dimensions,
        "matchExact": True,
        "statistic": stat,
        "period": "",
        "label": label,
        "id": "",
        "expression": "",
        "hide": False,
        **more,
    }


def _failure_rate() -> list[Json]:
    expression = {
        **_cloudwatch(
            "", "", "Sum", {}, "percent", id="rate", expression="100 * FILL(failed, 0) / delivered"
        ),
        "metricEditorMode": 1,
    }
    return [
        _own("ChangesFailed", "Sum", id="failed", hide=True),
        _own("ChangesDelivered", "Sum", id="delivered", hide=True),
        expression,
    ]


def _ask(expression: str, legend: str = "{{slot}}") -> Json:
    return {
        "datasource": PROMETHEUS,
        "expr": expression,
        "legendFormat": legend,
        "range": True,
        "instant": False,
        "editorMode": "code",
    }


# --- panels ------------------------------------------------------------------------------------


def _panel(kind: str, title: str, targets: list[Json], options: Json, defaults: Json) -> Json:
    sources = {json.dumps(each["datasource"]) for each in targets}
    assert len(sources) == 1, title
    return {
        "type": kind,
        "title": title,
        "datasource": targets[0]["datasource"],
        "targets": [{"refId": chr(65 + at), **each} for at, each in enumerate(targets)],
        "options": options,
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }


def _stat(title: str, targets: list[Json], unit: str, colour: str, *, calc: str = "sum") -> Json:
    options = {
        "reduceOptions": {"values": False, "calcs": [calc], "fields": ""},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "value",
        "justifyMode": "auto",
        "orientation": "auto",
    }
    return _panel("stat", title, targets, options, {"unit": unit, "color": _fixed(colour)})


def _series(
    title: str,
    targets: list[Json],
    colours: dict[str, str] | None = None,
    *,
    unit: str = "short",
    bars: bool = False,
    stacked: bool = False,
) -> Json:
    custom: Json = {
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 1,
        "fillOpacity": 80 if bars or stacked else 10,
        "showPoints": "never",
        "stacking": {"mode": "normal" if bars or stacked else "none", "group": "A"},
    }
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "none"},
    }
    panel = _panel("timeseries", title, targets, options, {"unit": unit, "min": 0, "custom": custom})
    panel["fieldConfig"]["overrides"] = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": _fixed(colour)}],
        }
        for name, colour in (colours or {}).items()
    ]
    return panel


def _evidence() -> Json:
    """Where the evidence stands between its two ends, after every look of the judge that had new windows."""
    panel = _series(
        "Evidence, by service: -1 rolls back, 1 promotes",
        [_own("Evidence", "Average", "${PROP('Dim.Service')}", by_service=True)],
    )
    steps = [
        {"value": None, "color": HARM},
        {"value": -0.999, "color": "transparent"},
        {"value": 0.999, "color": BLUE},
    ]
    panel["fieldConfig"]["defaults"] |= {
        "min": -1,
        "max": 1,
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    panel["fieldConfig"]["defaults"]["custom"] |= {"thresholdsStyle": {"mode": "area"}, "fillOpacity": 0}
    return panel


def _fixed(colour: str) -> Json:
    return {"mode": "fixed", "fixedColor": colour}


# --- a board -----------------------------------------------------------------------------------


def _board(uid: str, title: str, rows: list[list[Json]], since: str, *, prometheus: bool = False) -> Json:
    return {
        "uid": uid,
        "title": title,
        "tags": ["candlefish"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 38,
        "time": {"from": since, "to": "now"},
        "refresh": "1m",
        "panels": _placed(rows),
        "templating": {"list": _variables(prometheus=prometheus)},
        "annotations": {"list": _annotations() if prometheus else []},
    }


def _placed(rows: list[list[Json]]) -> list[Json]:
    found: list[Json] = []
    y = 0
    for row in rows:
        height = 5 if row[0]["type"] == "stat" else 8
        for at, panel in enumerate(row):
            width = 24 // len(row)
            place = {"h": height, "w": width, "x": at * width, "y": y}
            found.append({"id": len(found) + 1, "gridPos": place, **panel})
        y += height
    return found


def _variables(*, prometheus: bool) -> list[Json]:
    found = [_source("cloudwatch", "CloudWatch")]
    found += [_source("prometheus", "Prometheus")] if prometheus else []
    found += [
        {
            "name": "region",
            "label": "Region",
            "type": "query",
            "datasource": CLOUDWATCH,
            "query": "regions()",
            "refresh": 1,
        },
        {
            "name": "environment",
            "label": "Environment",
            "type": "query",
            "datasource": CLOUDWATCH,
            "query": f"dimension_values($region, {NAMESPACE}, ReleasesPromoted, Environment)",
            "refresh": 1,
        },
    ]
    if prometheus:
        found += [_label("namespace", "Namespace"), _label("service", "Service", 'namespace=~"$namespace"')]
    return found


def _source(kind: str, label: str) -> Json:
    return {"name": kind, "label": label, "type": "datasource", "query": kind, "refresh": 1}


def _label(name: str, label: str, where: str = "") -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": PROMETHEUS,
        "query": f"label_values(candlefish:requests:rate1m{{{where}}}, {name})",
        "refresh": 2,
        "includeAll": False,
        "multi": False,
    }


def _annotations() -> list[Json]:
    """Releases, as services show them: a slot that begins to have traffic, and one that has lost it."""
    heard = f"candlefish:requests:rate1m{SLOT} > {HEARD}"
    before = f"candlefish:requests:rate1m{SLOT} offset 2m > {HEARD}"
    return [
        _annotation(
            "A version takes traffic",
            f"({heard}) unless ({before})",
            BLUE,
            "{{service}}: slot {{slot}} has traffic",
        ),
        _annotation(
            "A version has lost its traffic",
            f"({before}) unless ({heard})",
            GREY,
            "{{service}}: slot {{slot}} has none",
        ),
    ]


def _annotation(name: str, expression: str, colour: str, title: str) -> Json:
    return {
        "name": name,
        "datasource": PROMETHEUS,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expression,
        "titleFormat": title,
        "step": "60s",
    }
