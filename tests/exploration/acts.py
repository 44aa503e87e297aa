"""What people do, in the words of the scenarios."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from candlefish.service.model import RollbackRequest
from candlefish.signals.model import Alert, Delivery
from tests.exploration.actors import Troupe
from tests.exploration.cluster import changed
from tests.exploration.jobs import deleted, suspended
from tests.exploration.product import DECIDER, ENDPOINT, FREEZER, STEERER
from tests.exploration.subject import ENVIRONMENT, LEAD, NAMESPACE, SERVICE, decode, encode
from tests.exploration.world import State, object_at
from tests.support.service import image

Act = Callable[[Troupe, State, re.Match[str]], State]


def act(troupe: Troupe, state: State, words: str) -> State:
    """The world after somebody did what the words say."""
    for pattern, do in ACTS.items():
        if found := re.fullmatch(pattern, words):
            return do(troupe, state, found)
    raise ValueError(f"nobody knows how to {words!r}; there is: {', '.join(ACTS)}")


def _release(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    """Version n, by a release of that number."""
    request = {
        "service": SERVICE,
        "image": image(int(words[1])),
        "label": f"v{words[1]}",
        "reason": "new",
    }
    new = troupe.execution("release", f"release{words[1]}", request, state.clock)
    return state._replace(actors=(*state.actors, new))


def _rollback(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    # Who asked is looked up after the traffic is back, in what nobody else writes: nothing to explore.
    who = {"reason": "errors", "by": "signal:errors"}
    request = RollbackRequest(f"rollback-{words[1]}", ENVIRONMENT, SERVICE, **who)
    new = troupe.execution("rollback", request.id, msgspec.to_builtins(request), state.clock)
    return state._replace(actors=(*state.actors, new))


def _alert(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    """Service down, in the message that a queue hands to who decides."""
    labels = {"alertname": "ServiceDown", "service": SERVICE, "environment": ENVIRONMENT}
    one = Alert(words[1], "firing", labels, state.clock, state.clock)
    told = Delivery("alertmanager", (one,), observed_at=state.clock, received_at=state.clock, total=1)
    record = {
        "messageId": words[1],
        "body": encode(told).decode(),
        "attributes": {"SentTimestamp": str(round(state.clock * 1000))},
    }
    new = troupe.invocation(troupe.product.arn(DECIDER), {"Records": [record]})
    return state._replace(actors=(*state.actors, new))


def _asked(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    """A person asks the endpoint, as `candlefish rollback` does."""
    asked = {
        "start": "rollback",
        "name": f"rollback-{words[1]}",
        "input": {"service": SERVICE, "reason": "errors"},
    }
    return _post(troupe, state, ENDPOINT, asked)


def _post(troupe: Troupe, state: State, function: str, body: Mapping[str, Any]) -> State:
    """A person of the catalog posts to a function's URL."""
    account = troupe.product.catalog.environments[ENVIRONMENT].account
    event = {
        "requestContext": {
            "http": {"method": "POST"},
            "authorizer": {"iam": {"userArn": f"arn:aws:iam::{account}:user/{LEAD}"}},
        },
        "headers": {"content-type": "application/json"},
        "body": encode(body).decode(),
    }
    new = troupe.invocation(troupe.product.arn(function), event)
    return state._replace(actors=(*state.actors, new))


def _steered(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    """As `candlefish pause`, `resume` and `promote` do; the reason says which release was meant."""
    action, release = words[1], words[2]
    if action == "resume":
        state = state._replace(resumed=(*state.resumed, release))
    return _post(troupe, state, STEERER, {"action": action, "release": release, "reason": release})


def _aborted(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    """As `candlefish abort` does."""
    request = {
        "service": SERVICE,
        "release": words[1],
        "reason": "wrong image",
        "disposition": "rejected",
        "only_running": True,
    }
    return _post(
        troupe, state, ENDPOINT, {"start": "rollback", "name": f"abort-{words[1]}", "input": request}
    )


def _frozen(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    return _post(troupe, state, FREEZER, {"until": state.clock + 86400.0, "reason": "an incident"})


def _autoscaler_deleted(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    return _kubectl(state, words[1], "horizontalpodautoscalers", None)


def _scaled(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    return _kubectl(state, words[1], "deployments", {"replicas": int(words[2])})


def _image_changed(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    body = decode(state.objects[object_at(f"{SERVICE}-{words[1]}", "deployments")].body)
    template = body["spec"]["template"]
    (container,) = template["spec"]["containers"]
    containers = [{**container, "image": image(int(words[2]))}]
    spec = {**template["spec"], "containers": containers}
    return _kubectl(state, words[1], "deployments", {"template": {**template, "spec": spec}})


def _kubectl(state: State, slot: str, plural: str, change: Mapping[str, Any] | None) -> State:
    at = object_at(f"{SERVICE}-{slot}", plural)
    after = changed(state.objects[at], plural, NAMESPACE, None if change is None else dict(change))
    return state._replace(objects=(*state.objects[:at], after, *state.objects[at + 1 :]))


def _weights(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    return state._replace(rule=(int(words[1]), int(words[2])), meddled=True)


def _restored(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    return state._replace(record=state.backup)


def _job_deleted(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    return state._replace(jobs=deleted(state.jobs, words[1]))


def _job_suspended(troupe: Troupe, state: State, words: re.Match[str]) -> State:
    return state._replace(jobs=suspended(state.jobs, words[1], state.clock))


# What stands in a scenario, and what it does.
ACTS: dict[str, Act] = {
    r"release v(\d+)": _release,
    r"rollback (\w+)": _rollback,
    r"alert (\w+)": _alert,
    r"ask for rollback (\w+)": _asked,
    r"(pause|resume|promote) (release\d+)": _steered,
    r"abort (release\d+)": _aborted,
    r"freeze": _frozen,
    r"delete the autoscaler of (blue|green)": _autoscaler_deleted,
    r"scale (blue|green) to (\d+)": _scaled,
    r"set the image of (blue|green) to v(\d+)": _image_changed,
    r"set the rule to (\d+)/(\d+)": _weights,
    r"restore the table": _restored,
    r"suspend the Jobs of (\w+)": _job_suspended,
    r"delete the Jobs of (\w+)": _job_deleted,
}
