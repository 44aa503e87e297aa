"""The dashboard of an environment, as CloudWatch takes it: what template.yaml says in `DashboardBody`.

Its first row is DORA's four measures, the second what a person looks at next; the last what only the control plane's own
operator needs. `${...}` is CloudFormation's. One widget is one line, so that a change of one is a change of one line.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from candlefish.measures import METRICS, NAMESPACE

Widget = dict[str, Any]
# A metric as CloudWatch's widgets spell it: namespace, name, dimensions in pairs, how it is drawn; or an expression.
Spelled = list[Any]

# Grey is what was, blue what came; red is harm alone. As on the page and in the pictures.
GREY, BLUE, AMBER, HARM = "#8b93a1", "#1d4ed8", "#b7791f", "#c0261c"
WIDTH, DAY = 24, 86400
# The functions between an alarm, or a person, and ModifyRule.
ROLLBACK = (
    "HandleSignalFunction",
    "ActOnSignalFunction",
    "RequestReleaseFunction",
    "RestoreTrafficFunction",
    "RetireSlotFunction",
    "FinishRollbackFunction",
    "ReconcileTrafficFunction",
)
# A look that has to look again ends with an error by name (decision 28), which Lambda counts like any other.
LOOKING = frozenset({"RetireSlotFunction"})
MACHINES = ("ReleaseMachine", "RollbackMachine", "WatchMachine", "TrainMachine", "RespondMachine")
ALARMS = ("DeadLettersAlarm", "SignalsLateAlarm", "ReconcilerAlarm", "ThrottlesAlarm")


def widgets() -> list[Widget]:
    """All of them, row by row."""
    return [*_placed(_rows())]


def body() -> str:
    """The dashboard's body, one widget a line."""
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in widgets())
    return f'{{"periodOverride": "auto", "widgets": [\n{lines}\n]}}'


# --- rows --------------------------------------------------------------------------------------

Row = tuple[int, list[tuple[int, Widget]]]


def _rows() -> Iterator[Row]:
    yield 1, [(24, _text("# ${Environment}: releases, and what keeps them safe"))]
    yield (
        5,
        [
            (6, _value("Deployment frequency: releases promoted", [ours("ReleasesPromoted", "Sum", BLUE)])),
            (6, _value("Lead time, median, seconds", [ours("LeadTime", "p50", BLUE)])),
            (6, _value("Change failure rate, percent", _failure_rate())),
            (
                6,
                _value("Time to restore, median, seconds", [ours("TimeToRestore", "p50", HARM)]),
            ),
        ],
    )
    yield (
        6,
        [
            (
                8,
                _graph(
                    "Releases a day by their end",
                    [
                        ours("ReleasesPromoted", "Sum", BLUE, "promoted"),
                        ours("ReleasesRolledBack", "Sum", HARM, "rolled back"),
                        ours("ReleasesRefused", "Sum", GREY, "refused"),
                    ],
                    period=DAY,
                    stacked=True,
                ),
            ),
            (
                8,
                _graph(
                    "Fleet: promoted a day, by service", [search("ReleasesPromoted", "Sum", DAY)], period=DAY
                ),
            ),
            (8, _graph("Fleet: requests by target group, one a slot", [_slots()], period=300)),
        ],
    )
    yield (
        6,
        [
            (
                8,
                _graph(
                    "What the judge said",
                    [
                        ours("JudgedGood", "Sum", BLUE, "no sign of harm"),
                        ours("JudgedBad", "Sum", HARM, "harm"),
                        ours("JudgeAsked", "Sum", AMBER, "cannot tell: asked, or tried"),
                    ],
                    period=3600,
                    stacked=True,
                ),
            ),
            (8, _evidence()),
            (
                8,
                _graph(
                    "Changes: delivered, and of these taken back as bad",
                    [
                        ours("ChangesDelivered", "Sum", BLUE, "delivered"),
                        ours("ChangesFailed", "Sum", HARM, "taken back as bad"),
                    ],
                    period=DAY,
                    stacked=True,
                ),
            ),
        ],
    )
    yield (
        6,
        [
            (
                8,
                _graph(
                    "Signals: acted on, refused by the guard",
                    [
                        ours("SignalsActed", "Sum", HARM, "rolled back, held or failed over"),
                        ours("SignalsRefused", "Sum", GREY, "refused by the guard"),
                    ],
                    period=3600,
                    stacked=True,
                ),
            ),
            (
                8,
                _graph(
                    "Reconcilers",
                    [
                        ours("Repairs", "Sum", BLUE, "put right"),
                        ours("ChangedByOthers", "Sum", HARM, "changed by somebody else"),
                        ours("NotPutRight", "Maximum", AMBER, "left to a person, most a look"),
                    ],
                    period=3600,
                ),
            ),
            (8, _graph("Cost of the month, US dollars", _cost(), period=DAY)),
        ],
    )
    yield (
        6,
        [
            (8, _alarms()),
            (8, _graph("Queues: the oldest signal in seconds, dead letters", _queues(), period=300)),
            (
                8,
                _graph("Machines: executions that failed", [_machine(each) for each in MACHINES], period=300),
            ),
        ],
    )
    yield (
        6,
        [
            (
                12,
                _graph(
                    "A rollback's way: milliseconds of the slowest in a hundred",
                    [_function(each, "Duration", "p99") for each in ROLLBACK],
                    period=300,
                ),
            ),
            (
                12,
                _graph(
                    "A rollback's way: errors",
                    [_function(each, "Errors", "Sum") for each in ROLLBACK if each not in LOOKING],
                    period=300,
                ),
            ),
        ],
    )


# --- metrics -----------------------------------------------------------------------------------


def ours(name: str, stat: str, colour: str, label: str = "", **more: Any) -> Spelled:
    """A metric of our own, of the environment."""
    assert name in METRICS, name
    drawn = {"stat": stat, "color": colour, **({"label": label} if label else {}), **more}
    return [NAMESPACE, name, "Environment", "${Environment}", drawn]


def search(name: str, stat: str, period: int) -> Spelled:
    """A metric of our own, of every service."""
    assert METRICS[name].by_service, name
    found = f'{{{NAMESPACE},Environment,Service}} MetricName="{name}" Environment="${{Environment}}"'
    return [{"expression": f"SEARCH('{found}', '{stat}', {period})", "label": "${!PROP('Dim.Service')}"}]


def _slots() -> Spelled:
    found = '{AWS/ApplicationELB,LoadBalancer,TargetGroup} MetricName="RequestCount" (TargetGroup=blue OR TargetGroup=green)'
    return [{"expression": f"SEARCH('{found}', 'Sum', 300)", "label": "${!PROP('Dim.TargetGroup')}"}]


def _failure_rate() -> list[Spelled]:
    return [
        [{"expression": "100 * FILL(failed, 0) / delivered", "label": "%", "color": HARM}],
        ours("ChangesFailed", "Sum", HARM, id="failed", visible=False),
        ours("ChangesDelivered", "Sum", BLUE, id="delivered", visible=False),
    ]


def _cost() -> list[Spelled]:
    return [
        ours("CostForecast", "Maximum", BLUE, "forecast"),
        ours("CostTarget", "Maximum", GREY, "target, upper end"),
    ]


def _queues() -> list[Spelled]:
    return [
        _aws(
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            "QueueName",
            "${SignalsQueue.QueueName}",
            "oldest signal",
            BLUE,
        ),
        _aws(
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            "QueueName",
            "${DeadLetters.QueueName}",
            "dead letters",
            HARM,
        ),
    ]


def _aws(namespace: str, name: str, dimension: str, value: str, label: str, colour: str) -> Spelled:
    return [namespace, name, dimension, value, {"stat": "Maximum", "label": label, "color": colour}]


def _function(logical: str, name: str, stat: str) -> Spelled:
    return [
        "AWS/Lambda",
        name,
        "FunctionName",
        f"${{{logical}}}",
        {"stat": stat, "label": _words(logical, "Function")},
    ]


def _machine(logical: str) -> Spelled:
    drawn = {"stat": "Sum", "label": _words(logical, "Machine")}
    return ["AWS/States", "ExecutionsFailed", "StateMachineArn", f"${{{logical}}}", drawn]


def _words(logical: str, suffix: str) -> str:
    name = logical.removesuffix(suffix)
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()


# --- widgets -----------------------------------------------------------------------------------


def _text(markdown: str) -> Widget:
    return {"type": "text", "properties": {"markdown": markdown, "background": "transparent"}}


def _value(title: str, metrics: Sequence[Spelled]) -> Widget:
    """One number over the whole time that is shown, with its course."""
    how = {
        "view": "singleValue",
        "setPeriodToTimeRange": True,
        "sparkline": True,
        "period": DAY,
        "stacked": False,
    }
    return _metric(title, metrics, how)


def _graph(title: str, metrics: Sequence[Spelled], *, period: int, stacked: bool = False) -> Widget:
    how = {"view": "timeSeries", "stacked": stacked, "period": period, "yAxis": {"left": {"min": 0}}}
    return _metric(title, metrics, how)


def _evidence() -> Widget:
    how = {"view": "timeSeries", "stacked": False, "period": 60, "yAxis": {"left": {"min": -1, "max": 1}}}
    widget = _metric(
        "Evidence, by service: -1 rolls back, 1 promotes", [search("Evidence", "Average", 60)], how
    )
    ends = [
        {"value": -1, "label": "roll back", "color": HARM},
        {"value": 1, "label": "promote", "color": BLUE},
    ]
    widget["properties"]["annotations"] = {"horizontal": ends}
    return widget


def _metric(title: str, metrics: Sequence[Spelled], how: Mapping[str, Any]) -> Widget:
    properties = {"title": title, "region": "${AWS::Region}", "metrics": list(metrics), **how}
    return {"type": "metric", "properties": properties}


def _alarms() -> Widget:
    names = [f"${{{each}.Arn}}" for each in ALARMS]
    return {"type": "alarm", "properties": {"title": "The control plane's own alarms", "alarms": names}}


def _placed(rows: Iterator[Row]) -> Iterator[Widget]:
    """Widgets with their places: rows below each other, each of one height."""
    y = 0
    for height, row in rows:
        x = 0
        for width, widget in row:
            yield {"type": widget["type"], "x": x, "y": y, "width": width, "height": height, **widget}
            x += width
        assert x == WIDTH, f"the row at {y} is {x} wide"
        y += height
