"""StatefulSets: what stays of one, how it is taken over and given back, whether it is up, and which Pod stands for ever."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.adapters.kubernetes.messages import ApiResponse
from candlefish.adapters.kubernetes.stateful import KubernetesStateful
from candlefish.catalog.model import Stateful, Volume
from candlefish.errors import ClusterRefused
from candlefish.failover.plans import compile_failover
from candlefish.release.begin_release import in_place_words
from candlefish.release.manifests import render
from candlefish.release.manifests.model import ADOPTED_NOTE, GENERATION_NOTE, GIVEN_BACK_NOTE, RELEASE_LABEL
from candlefish.release.model import Manifest
from candlefish.release.plan import plan_release, strategy_for
from candlefish.release.pods import Pod
from candlefish.release.stateful import fitted, given_back, must_take_over, standing, taken_over
from candlefish.release.stateful_rollout import REVISION_LABEL, StatefulSet, judge_stateful, stuck_pod
from tests.support.catalogs import catalog
from tests.support.kubernetes.samples import service, workload

DATA = Volume(name="data", path="/data", size="1Gi")


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    made = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made


def wanted(tag: str = "v1", stateful: Stateful | None = None) -> Manifest:
    about = workload(
        "shop",
        tag,
        service=service(kind="stateful", host="", stateful=stateful or Stateful(volumes=(DATA,))),
        slot="green",
    )
    return next(each for each in render(about) if each["kind"] == "StatefulSet")


def theirs(**spec: Any) -> Manifest:
    """As a chart made it, and the server filled it in."""
    claim = {
        "metadata": {"name": "data", "labels": {"chart": "db-1"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Pending"},
    }
    pod = {
        "containers": [{"name": "db", "image": "db:1", "env": [{"name": "OLD", "value": "1"}]}],
        "hostNetwork": False,
    }
    return {
        "kind": "StatefulSet",
        "metadata": {"name": "api", "labels": {"candlefish.ai/service": "api"}, "resourceVersion": "7"},
        "spec": {
            "replicas": 3,
            "serviceName": "api-headless",
            "podManagementPolicy": "OrderedReady",
            "selector": {"matchLabels": {"app": "db"}},
            "updateStrategy": {"type": "OnDelete"},
            "template": {"metadata": {"labels": {"app": "db"}, "annotations": {"sum": "1"}}, "spec": pod},
            "volumeClaimTemplates": [claim],
            **spec,
        },
    }


# --- what stays -----------------------------------------------------------------------------------


def test_what_cannot_be_changed_is_the_lives_letter_for_letter() -> None:
    live = theirs()
    made = fitted(wanted(), live)
    for field in ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"):
        assert made["spec"][field] == live["spec"][field]
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert (labels["app"], labels["candlefish.ai/service"]) == ("db", "api")
    assert fitted(wanted(), None) == wanted()


def test_a_selector_that_our_labels_do_not_fit_is_refused() -> None:
    odd = {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    with pytest.raises(ClusterRefused, match="matchExpressions"):
        fitted(wanted(), theirs(selector=odd))


def test_a_size_that_is_another_is_refused_with_both() -> None:
    larger = Stateful(volumes=(msgspec.structs.replace(DATA, size="2Gi"),))
    with pytest.raises(ClusterRefused, match="size 1Gi, and the version wants 2Gi"):
        fitted(wanted(stateful=larger), theirs())


def test_a_size_is_the_same_however_the_api_writes_it() -> None:
    as_written = Stateful(volumes=(msgspec.structs.replace(DATA, size="1024Mi"),))
    assert fitted(wanted(stateful=as_written), theirs())["spec"]["volumeClaimTemplates"]


@pytest.mark.parametrize("taken", [False, True])
def test_labels_by_which_others_find_the_pods_stay_when_it_is_taken_over(taken: bool) -> None:
    labels = {
        "app": "db",
        "role": "primary",
        "app.kubernetes.io/name": "postgresql",
        "app.kubernetes.io/version": "15",
    }
    live = theirs()
    live["spec"]["template"]["metadata"]["labels"] = labels
    if taken:
        live = merged(live, taken_over(fitted(wanted(), live), live))
    own = wanted("v2")["spec"]["template"]["metadata"]["labels"]
    made = fitted(wanted("v2"), live)["spec"]["template"]["metadata"]["labels"]
    assert made == {**own, "app": "db", "role": "primary", "app.kubernetes.io/name": "postgresql"}


@pytest.mark.parametrize(("before", "after"), [(1800, 1800), (30, 180)])
def test_pods_have_as_long_to_stop_as_they_had(before: int, after: int) -> None:
    live = theirs()
    live["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = before
    taken = merged(live, taken_over(fitted(wanted(), live), live))
    for seen in (live, taken):
        made = fitted(wanted("v2"), seen)["spec"]["template"]["spec"]
        assert made["terminationGracePeriodSeconds"] == after


def policy() -> Manifest:
    about = workload("shop", service=service(kind="stateful", host=""), slot="green")
    return next(each for each in render(about) if each["kind"] == "NetworkPolicy")


def test_pods_that_were_replaced_talk_with_those_that_were_not_yet() -> None:
    ours = {"podSelector": {"matchLabels": {"candlefish.ai/service": "api"}}}
    before = {"podSelector": {"matchLabels": {"app": "db"}}}
    made = standing(policy(), theirs(), again=False)["spec"]
    assert {"from": [ours, before]} in made["ingress"]
    assert {"to": [ours, before]} in made["egress"]
    others = [rule for rule in policy()["spec"]["ingress"] if rule != {"from": [ours]}]
    assert [rule for rule in made["ingress"] if rule != {"from": [ours, before]}] == others
    assert standing(policy(), wanted(), again=False) == policy()


def test_a_version_that_ran_before_comes_back_to_volumes_that_are_larger_by_now() -> None:
    larger = theirs()
    claim = larger["spec"]["volumeClaimTemplates"][0]
    claim["spec"]["resources"]["requests"]["storage"] = "20Gi"
    with pytest.raises(ClusterRefused):
        fitted(standing(wanted(), larger, again=False), larger)
    made = fitted(standing(wanted(), larger, again=True), larger)
    assert made["spec"]["volumeClaimTemplates"] == [claim]
    assert made["spec"]["template"]["spec"] == wanted()["spec"]["template"]["spec"]


def test_a_version_whose_volume_is_not_there_cannot_come_back() -> None:
    with pytest.raises(ClusterRefused, match="volume data is not there"):
        fitted(
            standing(wanted(), theirs(volumeClaimTemplates=[]), again=True), theirs(volumeClaimTemplates=[])
        )


def test_what_a_take_over_writes_gives_back_just_what_was_there() -> None:
    live = theirs()
    manifest = fitted(wanted(), live)
    assert must_take_over(manifest, live)
    after = merged(live, taken_over(manifest, live))
    assert after["spec"]["template"] == manifest["spec"]["template"]
    assert after["spec"]["updateStrategy"]["type"] == "RollingUpdate"
    assert after["spec"]["replicas"] == 3
    assert not must_take_over(manifest, after)
    patch = given_back(after, 2)
    assert patch is not None
    back = merged(after, patch)
    assert back["spec"] == live["spec"]
    assert GIVEN_BACK_NOTE in back["metadata"]["annotations"]
    assert "candlefish.ai/slot" not in back["metadata"]["labels"]
    assert given_back(back, 2) is None
    assert must_take_over(manifest, back), "the next release takes it over anew"
    again = merged(back, taken_over(manifest, back))
    assert json.loads(again["metadata"]["annotations"][ADOPTED_NOTE])["template"] == live["spec"]["template"]


def test_one_that_we_made_gives_nothing_back() -> None:
    assert given_back(wanted(), 2) is None


JSONS = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(old=st.dictionaries(st.text(max_size=2), JSONS), new=st.dictionaries(st.text(max_size=2), JSONS))
def test_a_template_is_given_back_whatever_came_in_between(old: dict[str, Any], new: dict[str, Any]) -> None:
    live = theirs(template={"metadata": old, "spec": old})
    manifest = wanted()
    manifest = {**manifest, "spec": {**manifest["spec"], "template": {"metadata": new, "spec": new}}}
    after = merged(live, taken_over(manifest, live))
    assert after["spec"]["template"] == manifest["spec"]["template"]
    patch = given_back(after, 2)
    assert patch is not None
    assert merged(after, patch)["spec"]["template"] == live["spec"]["template"]


# --- how far it is --------------------------------------------------------------------------------


def stateful(desired: int = 3, *, generation: int = 4, **status: Any) -> StatefulSet:
    value = {
        "metadata": {"name": "api", "generation": generation},
        "spec": {"replicas": desired, "template": {"metadata": {"labels": {RELEASE_LABEL: "release-new"}}}},
        "status": {
            "observedGeneration": 4,
            "replicas": 3,
            "updatedReplicas": 3,
            "readyReplicas": 3,
            "currentRevision": "api-old",
            "updateRevision": "api-new",
            **status,
        },
    }
    return msgspec.json.decode(json.dumps(value), type=StatefulSet)


def pod(
    number: int,
    revision: str = "new",
    *,
    ready: bool = True,
    going: bool = False,
    release: str = "",
    **status: Any,
) -> Pod:
    labels = {REVISION_LABEL: f"api-{revision}", RELEASE_LABEL: release or f"release-{revision}"}
    metadata: dict[str, Any] = {"name": f"api-{number}", "labels": labels}
    if going:
        metadata["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    conditions = [{"type": "Ready", "status": str(ready)}]
    value = {"metadata": metadata, "status": {"conditions": conditions, **status}}
    return msgspec.json.decode(json.dumps(value), type=Pod)


UP = [pod(0), pod(1), pod(2)]
CRASHING = {
    "containerStatuses": [
        {
            "name": "db",
            "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "message": "no such table"}},
        }
    ]
}


@pytest.mark.parametrize(
    ("found", "pods", "status", "words"),
    [
        (stateful(), UP, "ready", "3 of 3 Pods are ready"),
        (stateful(generation=5), UP, "progressing", "has not seen"),
        (stateful(0), [], "progressing", "scaled to 0"),
        (
            stateful(),
            [pod(0, "old"), pod(1, "old"), pod(2)],
            "progressing",
            "1 of 3 Pods run the newest template, next is api-1",
        ),
        (stateful(), [pod(0, "old"), pod(1, "old"), pod(2, going=True)], "progressing", "next is api-2"),
        (stateful(), [pod(0), pod(2)], "progressing", "next is api-1"),
        (stateful(readyReplicas=2), UP, "progressing", "2 of 3 Pods are ready"),
        (stateful(availableReplicas=1), UP, "progressing", "1 of 3 Pods are ready"),
        (stateful(updatedReplicas=2), UP, "progressing", "counted as updated"),
        (stateful(replicas=4), UP, "progressing", "1 Pods too many"),
        (
            stateful(),
            [pod(0, "old"), pod(1, "old"), pod(2, ready=False, **CRASHING)],
            "failed",
            "container db of Pod api-2 crashes: exit code 1; 4 restarts; its last words: no such table",
        ),
        (
            stateful(),
            [pod(0, "old"), pod(1, "old"), pod(2, "bad", ready=False, **CRASHING)],
            "progressing",
            "Pod api-2 is of a template before and not ready .*kubectl delete pod api-2",
        ),
    ],
)
def test_it_is_read_in_the_order_of_the_numbers(
    found: StatefulSet, pods: list[Pod], status: str, words: str
) -> None:
    seen = judge_stateful(found, pods)
    assert seen.status == status, seen
    assert re.search(words, seen.reason), seen


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ({"type": "OnDelete"}, "OnDelete, which replaces no Pods"),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, r"partition 2 keeps Pods.*2 of 3"),
    ],
)
def test_what_keeps_pods_at_the_version_before_is_named(strategy: dict[str, Any], words: str) -> None:
    found = stateful()
    read = msgspec.convert(strategy, type(found.spec.update_strategy))
    spec = msgspec.structs.replace(found.spec, update_strategy=read)
    seen = judge_stateful(msgspec.structs.replace(found, spec=spec), UP)
    assert (seen.status, seen.hindered) == ("progressing", True)
    assert re.search(words, seen.reason), seen


def test_a_set_whose_numbers_begin_elsewhere_is_read_from_there() -> None:
    found = msgspec.json.decode(
        json.dumps(
            {
                "metadata": {"name": "api", "generation": 4},
                "spec": {"replicas": 2, "ordinals": {"start": 5}},
                "status": {
                    "observedGeneration": 4,
                    "replicas": 2,
                    "updatedReplicas": 2,
                    "readyReplicas": 2,
                    "updateRevision": "api-new",
                },
            }
        ),
        type=StatefulSet,
    )
    assert judge_stateful(found, [pod(5), pod(6)]).status == "ready"


@pytest.mark.parametrize(
    ("pods", "name"),
    [
        ([pod(0, "old"), pod(1, "bad", ready=False), pod(2, "bad", ready=False)], "api-2"),
        ([pod(0), pod(1), pod(2, ready=False)], None),
        ([pod(0, "old"), pod(1, "old"), pod(2, "bad")], None),
        ([pod(0, "bad", ready=False), pod(1, going=True)], None),
        ([pod(0, "bad", ready=False, going=True)], None),
    ],
)
def test_only_a_pod_of_another_template_that_is_not_ready_is_stuck(pods: list[Pod], name: str | None) -> None:
    found = stuck_pod(stateful(), pods)
    assert (found.metadata.name if found else None) == name
    assert stuck_pod(stateful(generation=5), pods) is None, "which template is the newest is not known yet"
    assert stuck_pod(stateful(updateRevision=""), pods) is None


def test_a_pod_of_the_release_that_comes_back_is_waited_for_whatever_its_template() -> None:
    starting = [pod(0, "old", ready=False, release="release-new"), pod(1), pod(2)]
    assert stuck_pod(stateful(), starting) is None
    broken = [starting[0], pod(1), pod(2, "bad", ready=False)]
    found = stuck_pod(stateful(), broken)
    assert found is not None
    assert found.metadata.name == "api-2"


class Answering:
    """An API with one StatefulSet, which answers each deletion with a status; `deleted` is what was asked for."""

    def __init__(self, live: Manifest, deletion: int) -> None:
        self._live, self._deletion = live, deletion
        self.deleted: list[str] = []

    def request(self, method: str, path: str, **_: Any) -> ApiResponse:
        if method == "DELETE":
            self.deleted.append(path.rpartition("/")[2])
            return ApiResponse(self._deletion, b"{}")
        return ApiResponse(200, json.dumps(self._live).encode())


@pytest.mark.parametrize(
    ("written_by", "deletion", "asked", "freed"),
    [
        (7, 200, ["api-2"], "api-2"),
        # Where the Role may not, the rollout's words say which one a person has to delete.
        (7, 403, ["api-2"], ""),
        (7, 409, ["api-2"], ""),
        # An older generation's, or nobody's of ours.
        (6, 200, [], ""),
        (0, 200, [], ""),
    ],
)
def test_a_stuck_pod_is_freed_only_by_the_generation_that_wrote_its_set(
    written_by: int, deletion: int, asked: list[str], freed: str
) -> None:
    live = msgspec.to_builtins(stateful())
    live["metadata"] |= {"annotations": {GENERATION_NOTE: str(written_by)} if written_by else {}}
    live["spec"]["selector"] = {"matchLabels": {"app": "db"}}
    api = Answering(live, deletion)
    broken = [pod(0), pod(1), pod(2, "bad", ready=False)]
    adapter = KubernetesStateful(api, lambda *_: broken)
    assert adapter.free("StatefulSet api in shop", "shop", "api", 7) == freed
    assert api.deleted == asked


@pytest.mark.parametrize(
    ("pods", "hindered"),
    [
        ([pod(0, "old"), pod(1, "bad", ready=False), pod(2)], True),
        ([pod(0, "old"), pod(1, "old"), pod(2, ready=False, **CRASHING)], False),
        ([pod(0, "old"), pod(1, "old"), pod(2)], False),
    ],
)
def test_what_is_held_up_by_a_version_before_is_no_word_on_the_newest(
    pods: list[Pod], hindered: bool
) -> None:
    assert judge_stateful(stateful(), pods).hindered == hindered


# --- how it is released ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(catalog().strategies))
@pytest.mark.parametrize("first", [True, False])
def test_whatever_the_strategy_it_is_updated_in_place(name: str, first: bool) -> None:
    strategy, about = catalog().strategies[name], service(kind="stateful", host="")
    own = strategy_for(strategy, about)
    assert own.in_place
    assert (own.rollback_window, own.ready_within) == (strategy.rollback_window, strategy.ready_within)
    kinds = [step.kind for step in plan_release(own, first=first, window=60, judge="default", asked=False)]
    assert kinds[:2] == ["deploy", "ready"]
    assert not {"judge", "smoke"} & set(kinds)
    if not first:
        assert not {"scale", "shift"} & set(kinds)
        asked = sum(step.approve is not None for step in strategy.steps)
        watched = sum(bool(step.judge or step.bake) for step in strategy.steps)
        assert (kinds.count("approve"), kinds.count("bake")) == (asked, watched)
    assert bool(in_place_words(about, strategy)) == (not strategy.in_place)
    assert strategy_for(strategy, service()) is strategy


def test_no_failover_brings_it_up_without_its_data() -> None:
    known = catalog()
    ledger = service(name="ledger", kind="stateful", host="")
    with_it = msgspec.structs.replace(known, services={**known.services, "ledger": ledger})
    subjects = {
        step.subject
        for step in compile_failover("application", "application", known.environments["production"], with_it)
    }
    assert "ledger" not in subjects
    assert set(known.services) <= subjects
