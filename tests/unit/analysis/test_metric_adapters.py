"""What the metrics adapters make of the answers they get. Sockets are not needed for that."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.exceptions import ClientError

from candlefish.adapters.aws.cloudwatch_metrics import CloudWatchWindows
from candlefish.adapters.http.prometheus import PrometheusWindows
from candlefish.adapters.http.prometheus_api import amp_signer
from candlefish.analysis.model import Arm, MetricTarget, Survey
from candlefish.errors import Unavailable

TARGET = MetricTarget(
    "production", "backend-api", "app/x/1", "blue", "green", "targetgroup/b/1", "targetgroup/g/2", settle=30.0
)
AT = 1_790_000_040.0 // 60 * 60


class CloudWatch:
    """Answers GetMetricData from a table, a page at a time."""

    def __init__(
        self, values: dict[str, list[float | None]], pages: int = 1, status: str = "Complete"
    ) -> None:
        self.values, self.pages, self.status = values, pages, status
        self.requests: list[dict[str, Any]] = []

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        page = int(request.get("NextToken", 0))
        last = page == self.pages - 1
        results = []
        for query in request["MetricDataQueries"]:
            known = list(enumerate(self.values.get(query["Id"], [])))[page :: self.pages]
            told = [
                (datetime.fromtimestamp(AT + 60 * n, UTC), value) for n, value in known if value is not None
            ]
            results.append(
                {
                    "Id": query["Id"],
                    "Timestamps": [at for at, _ in told],
                    "Values": [value for _, value in told],
                    "StatusCode": self.status if last else "PartialData",
                }
            )
        more = {} if last else {"NextToken": str(page + 1)}
        return {"MetricDataResults": results, **more}


VALUES: dict[str, list[float | None]] = {
    "baseline_requests": [900.0, 910.0, 920.0],
    "baseline_2XX": [880.0, 900.0, 910.0],
    "baseline_3XX": [None, 6.0, 9.0],
    "baseline_4XX": [11.0, 4.0, None],
    "baseline_slow": [4.2, 0.0, None],
    "canary_requests": [100.0, 90.0, 80.0],
    "canary_2XX": [97.0, 92.0, None],
    "canary_slow": [4.8, None, None],
}


def test_pages_are_read_to_the_last_and_fractions_accuse_nobody() -> None:
    client = CloudWatch(VALUES, pages=2)
    windows = CloudWatchWindows(client).windows(TARGET, AT, AT + 3 * 60 + 30)
    assert len(client.requests) == 2 and len(client.requests[0]["MetricDataQueries"]) == 10
    assert [w.baseline for w in windows] == [Arm(900, 9, 5), Arm(910), Arm(920, 1)]
    # What was not answered failed, all of it if nothing was; more answers than requests are no success either.
    assert [w.canary for w in windows] == [Arm(100, 3, 4), Arm(90), Arm(80, 80)]


@pytest.mark.parametrize(
    ("answered", "errors"),
    [({"2XX": 70.0}, 30), ({}, 100), ({"2XX": 50.0, "3XX": 20.0, "4XX": 30.0}, 0)],
    ids=["a share is never answered", "nothing is", "redirects and refusals are answers"],
)
def test_a_request_that_the_target_never_answers_is_an_error(answered: dict[str, float], errors: int) -> None:
    values: dict[str, list[float | None]] = {"canary_requests": [100.0]}
    values |= {f"canary_{kind}": [count] for kind, count in answered.items()}
    (window,) = CloudWatchWindows(CloudWatch(values)).windows(TARGET, AT, AT + 90)
    assert window.canary == Arm(100, errors)


def test_a_request_that_became_a_websocket_is_no_error_of_a_service_that_has_them() -> None:
    values: dict[str, list[float | None]] = {
        "canary_requests": [100.0],
        "canary_2XX": [20.0],
        "canary_5XX": [2.0],
        "canary_refused": [1.0],
    }
    client = CloudWatch(values)
    (window,) = CloudWatchWindows(client).windows(
        msgspec.structs.replace(TARGET, websockets=True), AT, AT + 90
    )
    assert window.canary == Arm(100, 3)
    assert not {"canary_2XX", "canary_3XX"} & {each["Id"] for each in client.requests[0]["MetricDataQueries"]}


def test_who_does_not_serve_is_not_asked_about_and_a_drain_asks_for_requests_only() -> None:
    client = CloudWatch(VALUES)
    alone = msgspec.structs.replace(TARGET, baseline_group="")
    (window,) = CloudWatchWindows(client).windows(alone, AT, AT + 90)
    assert (window.baseline, window.canary) == (Arm(0), Arm(100, 3, 4))
    leaving = msgspec.structs.replace(TARGET, requests_only=True)
    (window,) = CloudWatchWindows(client).windows(leaving, AT, AT + 90)
    assert (window.baseline, window.canary) == (Arm(900), Arm(100))
    assert [len(request["MetricDataQueries"]) for request in client.requests] == [5, 2]


def test_own_errors_are_one_metric_of_the_load_balancer_alone() -> None:
    client = CloudWatch({"own": [3.0, None, 4.0]})
    assert CloudWatchWindows(client).own_errors(TARGET, AT, AT + 180) == 7
    (query,) = client.requests[0]["MetricDataQueries"]
    metric = query["MetricStat"]["Metric"]
    assert metric["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/x/1"}]
    assert CloudWatchWindows(client).own_errors(TARGET, AT + 10, AT + 50) == 0 and len(client.requests) == 1


def test_a_window_grows_until_five_settling_times_have_passed() -> None:
    windows = CloudWatchWindows(CloudWatch(VALUES)).windows(TARGET, AT, AT + 60 + 5 * 30 + 1)
    assert [w.growing for w in windows] == [False, True, True]


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
def test_an_answer_in_part_is_no_answer(status: str) -> None:
    with pytest.raises(Unavailable, match="answered in part"):
        CloudWatchWindows(CloudWatch(VALUES, status=status)).windows(TARGET, AT, AT + 210)


@pytest.mark.parametrize("code", ["Throttling", "AccessDenied", "InternalServiceFault", "ValidationError"])
def test_whatever_cloudwatch_refuses_with_the_canary_is_not_to_blame(code: str) -> None:
    class Refusing:
        def get_metric_data(self, **_: Any) -> None:
            answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(answer, "GetMetricData")  # type: ignore[arg-type]

    with pytest.raises(Unavailable):
        CloudWatchWindows(Refusing()).windows(TARGET, AT, AT + 210)


def test_silence_at_the_end_is_believed_only_after_three_settling_times() -> None:
    values = {"baseline_requests": [900.0], "canary_requests": [100.0]}
    source = CloudWatchWindows(CloudWatch(dict(values)))
    assert len(source.windows(TARGET, AT, AT + 2 * 60 + 30)) == 1
    assert len(source.windows(TARGET, AT, AT + 2 * 60 + 90)) == 2


def test_nothing_is_asked_before_a_window_can_have_settled() -> None:
    client = CloudWatch(VALUES)
    assert CloudWatchWindows(client).windows(TARGET, AT, AT + 89) == () and not client.requests


def test_the_slow_are_those_above_the_policys_budget_and_counters_come_along() -> None:
    client = CloudWatch(VALUES | {"canary_counter_0": [7.0]})
    target = msgspec.structs.replace(TARGET, slow_over=0.25, counters=("orders",))
    windows = CloudWatchWindows(client).windows(target, AT, AT + 90)
    stats = {q["Id"]: q["MetricStat"]["Stat"] for q in client.requests[0]["MetricDataQueries"]}
    assert stats["canary_slow"] == "TC(0.25:)" and stats["canary_2XX"] == "Sum"
    assert windows[0].canary.counters == {"orders": 7}


EDGES = (0.05, 0.25, 2.0)


def test_edges_are_asked_for_when_they_are_known_and_the_budget_only_once() -> None:
    client = CloudWatch(
        VALUES
        | {
            "canary_over_0": [40.9],
            "canary_over_1": [9.7],
            "baseline_over_0": [400.1],
            "baseline_over_1": [90.2],
        }
    )
    target = msgspec.structs.replace(TARGET, survey=Survey(edges=EDGES))
    (window,) = CloudWatchWindows(client).windows(target, AT, AT + 90)
    stats = [query["MetricStat"]["Stat"] for query in client.requests[0]["MetricDataQueries"]]
    assert len(stats) == 14 and stats.count("TC(2:)") == 2 and stats.count("TC(0.05:)") == 2
    # Down for the canary, up for the baseline.
    assert window.canary.beside == {"over:0.05": (100, 40), "over:0.25": (100, 9), "over:2": (100, 4)}
    assert window.baseline.beside == {"over:0.05": (900, 401), "over:0.25": (900, 91), "over:2": (900, 5)}


def test_a_survey_is_one_request_of_percentiles_and_counters_over_hours() -> None:
    values: dict[str, list[float | None]] = {f"p_{n}": [0.01 * 2**n, 0.011 * 2**n, 9.0] for n in range(7)}
    client = CloudWatch(values | {"counter_1": [5.0]})
    target = msgspec.structs.replace(TARGET, counters=("orders", "signups"))
    found = CloudWatchWindows(client).survey(target, AT - 10800, AT)
    assert found == Survey(
        edges=(0.011, 0.022, 0.044, 0.088, 0.18, 0.35, 0.7, 2.0), reported=("errors", "slow", "signups")
    )
    (request,) = client.requests
    stats = [query["MetricStat"]["Stat"] for query in request["MetricDataQueries"]]
    assert stats == ["p25", "p50", "p75", "p90", "p95", "p99", "p99.9", "SampleCount", "SampleCount"]
    assert {query["MetricStat"]["Period"] for query in request["MetricDataQueries"]} == {3600}
    dimensions = request["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"]
    assert {"Name": "TargetGroup", "Value": "targetgroup/b/1"} in dimensions


def test_a_service_without_a_past_tells_nothing_apart() -> None:
    assert CloudWatchWindows(CloudWatch({})).survey(TARGET, AT - 10800, AT) == Survey()
    client = CloudWatch({})
    alone = msgspec.structs.replace(TARGET, baseline_group="")
    assert CloudWatchWindows(client).survey(alone, AT - 10800, AT) == Survey() and not client.requests


def test_a_counter_without_any_datapoint_is_absent() -> None:
    target = msgspec.structs.replace(TARGET, counters=("orders", "signups"))
    windows = CloudWatchWindows(CloudWatch(VALUES | {"baseline_counter_1": [None, 3.0]})).windows(
        target, AT, AT + 150
    )
    assert {w.absent for w in windows} == {("orders",)}


# --- Prometheus ----------------------------------------------------------------------------------


class Answer:
    def __init__(self, status: int, data: bytes) -> None:
        self.status, self.data = status, data

    def read(self, most: int) -> bytes:
        return self.data[:most]

    def release_conn(self) -> None:
        pass

    close = release_conn


@pytest.mark.parametrize(
    ("status", "data", "said"),
    [
        (502, b"<html>bad gateway</html>", "answered 502 and not in its API's JSON"),
        (503, b'{"status":"error","error":"query timed out"}', "query timed out"),
        (401, b'{"status":"error","error":"no"}', "answered 401"),
        (
            200,
            b'{"status":"success","data":{"result":[]},"warnings":["store gone"]}',
            "answered in part: store gone",
        ),
    ],
)
def test_a_prometheus_that_cannot_answer_is_unavailable(
    status: int, data: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PrometheusWindows("http://prometheus:9090")
    monkeypatch.setattr(source._api._pool, "request", lambda *_, **__: Answer(status, data))
    with pytest.raises(Unavailable, match=said):
        source.windows(TARGET, AT, AT + 210)


def test_requests_to_amp_are_signed_for_its_service_and_region() -> None:
    session = botocore.session.get_session()
    session.set_credentials("AKIDEXAMPLE", "secret", "token")
    url = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1"
    source = PrometheusWindows(url, sign=amp_signer(session, "eu-west-1"))
    sent: list[dict[str, str]] = []

    def request(method: str, url: str, body: bytes, headers: dict[str, str], **_: object) -> Answer:
        sent.append({"method": method, "url": url, **headers})
        return Answer(200, b'{"status":"success","data":{"result":[]}}')

    source._api._pool.request = request  # type: ignore[assignment]
    assert source.windows(TARGET, AT, AT + 210) == []
    assert sent[0]["url"] == f"{url}/api/v1/query_range" and sent[0]["method"] == "POST"
    assert "/eu-west-1/aps/aws4_request" in sent[0]["Authorization"]
    assert sent[0]["X-Amz-Security-Token"] == "token"
