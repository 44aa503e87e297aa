"""What becomes of a chart's objects in a slot: what is as the chart says, what is not, and why. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from candlefish.release.manifests.model import slot_name
from candlefish.release.manifests.shape import at, shown

Object = dict[str, Any]
Path = tuple[Any, ...]
Flat = dict[Path, Any]
_POD = r"spec\.(?:jobTemplate\.spec\.)?template\.spec"
# Why a path is not as the chart says it: the first pattern that the path begins with. The last one takes every path.
WHYS: tuple[tuple[str, str], ...] = (
    (r"spec\.template\.metadata\.labels", "nothing that runs already may select the slot's Pods"),
    (
        r"spec\.template\.metadata\.annotations",
        "says what runs; the catalog's `annotations` and `prometheus`",
    ),
    (
        r"spec\.(?:suspend|completions|parallelism|backoffLimit|podReplacementPolicy|ttlSecondsAfterFinished)",
        "a release runs it once, and keeps it for a week",
    ),
    (r"spec\.activeDeadlineSeconds", "it is stopped by then, and the release ends"),
    (rf"{_POD}\.restartPolicy", "a release runs it once, and keeps it for a week"),
    (r"spec\.replicas", "the autoscaler's, in the range of the catalog (`replicas`)"),
    (r"spec\.(?:minReplicas|maxReplicas)", "the catalog's `replicas`"),
    (r"spec\.metrics", "the catalog's `autoscale`"),
    (r"spec\.scaleTargetRef", "the slot's Deployment"),
    (r"spec\.(?:selector|podSelector)", "selects the Pods of one slot"),
    (r"spec\.strategy", "a release replaces Pods without going below what serves"),
    (r"spec\.progressDeadlineSeconds", "the strategy's `ready_within`"),
    (
        r"spec\.(?:ingress|egress|policyTypes)",
        "the catalog's rules (`egress`, `ingress`, ingress_cidrs, what it depends on)",
    ),
    (r"spec\.(?:target|secretObjects)", "each slot keeps a Secret of its own"),
    (rf"{_POD}\.serviceAccountName", "the service's own account, or the catalog's `service_account`"),
    (rf"{_POD}\.terminationGracePeriodSeconds", "as long as draining and what is under way take"),
    (rf"{_POD}\.topologySpreadConstraints", "spread over zones and nodes, by the slot's own Pods"),
    (rf"{_POD}\.affinity\.pod", "keeps the slot's own Pods apart"),
    (rf"{_POD}\.(?:affinity|tolerations)", "production keeps off spot nodes; elsewhere they are preferred"),
    (rf"{_POD}\.imagePullSecrets", "the catalog's `image_pull_secrets`"),
    (rf"{_POD}\.(?:automountServiceAccountToken|enableServiceLinks)", "no service needs the Kubernetes API"),
    (
        rf"{_POD}\.securityContext\.(?:runAs|fsGroup)",
        "the catalog's `run_as`, or the chart's user as its group",
    ),
    (rf"{_POD}\.securityContext", "Pod Security `restricted`"),
    (rf"{_POD}\.volumes\[[^]]*\]\.emptyDir", "an emptyDir has an end"),
    (rf"{_POD}\.volumes", "the slot's copy; the catalog's `writable_paths` and secrets"),
    (rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.image\b", "the release's image, by digest"),
    (rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.env\b", "the catalog's variables and secrets, which win"),
    (rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.envFrom", "the slot's copy"),
    (rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.securityContext", "Pod Security `restricted`, read-only root"),
    (
        rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.lifecycle",
        "keeps serving while the load balancer still sends",
    ),
    (
        rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.resources",
        "the catalog's `resources`, where the chart says none",
    ),
    (rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.volumeMounts", "the catalog's `writable_paths` and secrets"),
    (rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.ports", "the catalog's ports"),
    (
        rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.\w*Probe",
        "the catalog's health check, where the chart says none",
    ),
    (rf"{_POD}\.(?:initC|c)ontainers\[[^]]*\]\.terminationMessage", "the end of the log is in the message"),
    (r"automountServiceAccountToken", "no token of the Kubernetes API is mounted"),
    (r"", "the release's"),
)
_COMPILED = tuple((re.compile(pattern), why) for pattern, why in WHYS)
# The image of a version that there is not yet.
_NO_DIGEST = f"@sha256:{'0' * 64}"
# Of what nobody is shown the values.
_QUIET = re.compile(r"\.env\b|^(?:data|binaryData)\b")
# A hook that does something else than sleep, where the load balancer needs time to hear of it.
_OWN_HOOK = re.compile(rf"{_POD}\.containers\[[^]]*\]\.lifecycle\.preStop\.(?:exec|httpGet)")


class Change(NamedTuple):
    """A path of an object that is not as the chart has it; `before` and `after` as people read them."""

    path: str
    before: str
    after: str
    why: str


class Fate(NamedTuple):
    """What becomes of an object. `made` is what it is called in the slot, `chart` what the chart called it."""

    chart: str
    made: str
    changes: tuple[Change, ...] = ()


def fates(bundle: Sequence[Object], made: Sequence[Object], slot: str) -> list[Fate]:
    """Each object of a bundle with what is different in a slot, then what the chart has not and the slot gets."""
    left = {(each["kind"], each["metadata"]["name"]): each for each in made}
    found = []
    for document in bundle:
        key = _made_of(document, left, slot)
        after = left.pop(key, None) if key else None
        title = f"{document['kind']} {document['metadata']['name']}"
        if after is None:
            found.append(Fate(title, "nothing: the slot's one network policy or account stands for it"))
        else:
            found.append(Fate(title, after["metadata"]["name"], tuple(changes(document, after))))
    return [*found, *(Fate("", f"{kind} {name}") for kind, name in left)]


def _made_of(document: Object, made: Mapping[tuple[str, str], Object], slot: str) -> tuple[str, str] | None:
    kind, name = document["kind"], document["metadata"]["name"]
    wanted = [(kind, slot_name(name, slot)), (kind, name)]  # type: ignore[arg-type]
    return next((key for key in wanted if key in made), next((key for key in made if key[0] == kind), None))


def changes(before: Object, after: Object) -> Iterator[Change]:
    """The paths at which two objects differ, but for their own metadata, which every object gets.

    What is only added is told by its topmost path.
    """
    old, new = dict(_flat(_body(before))), dict(_flat(_body(after)))
    beginnings = {path[:length] for path in old for length in range(len(path) + 1)}
    told: set[Path] = set()
    for path in sorted(old.keys() | new.keys(), key=str):
        if old.get(path) == new.get(path) and (path in old) == (path in new):
            continue
        said = path if path in old else _topmost(path, beginnings)
        if said in told:
            continue
        told.add(said)
        where = _written(path)
        after_it = "added" if said != path else _words(new, path)
        yield Change(_written(said), _words(old, path), after_it, _why(where))


def warnings(bundle: Sequence[Object]) -> list[str]:
    """What stands as the chart says and may not be what it should be."""
    return [
        f"{document['kind']} {document['metadata']['name']}: {path} stands: it must keep the Pod serving for the 30 s in "
        "which the load balancer may still send requests"
        for document in bundle
        if document["kind"] == "Deployment"
        for path in dict.fromkeys(_hook(_written(each)) for each, _ in _flat(document))
        if path and not _sleeps(document)
    ]


def _hook(path: str) -> str:
    found = _OWN_HOOK.match(path)
    return found[0] if found else ""


def _sleeps(document: Object) -> bool:
    from candlefish.release.manifests.harden import slept_by

    pod = document["spec"]["template"]["spec"]
    return all(slept_by(each) for each in pod["containers"] if (each.get("lifecycle") or {}).get("preStop"))


def _body(document: Object) -> Object:
    return {key: value for key, value in document.items() if key != "metadata"}


def _flat(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value by the way to it: keys, and for entries of lists their names (in a tuple) or numbers."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, (*path, key))
    elif isinstance(value, list) and value:
        named = [item.get("name") if isinstance(item, Mapping) else None for item in value]
        unique = None not in named and len(set(named)) == len(named)
        for index, item in enumerate(value):
            yield from _flat(item, (*path, (named[index],) if unique else index))
    elif value not in (None, {}, []):
        yield path, value


def _written(path: Path) -> str:
    made = ""
    for step in path:
        if isinstance(step, tuple):
            made += f"[{step[0]}]"
        else:
            made = f"{made}[{step}]" if isinstance(step, int) else at(made, step)
    return made


def _topmost(path: Path, beginnings: set[Path]) -> Path:
    """The shortest beginning of a path that the chart does not have."""
    return next(path[:length] for length in range(1, len(path) + 1) if path[:length] not in beginnings)


def _words(flat: Flat, path: Path) -> str:
    if path not in flat:
        return "nothing"
    if _QUIET.search(_written(path)):
        return "a value"
    value = flat[path]
    if isinstance(value, str) and value.endswith(_NO_DIGEST):
        return f"{value.removesuffix(_NO_DIGEST)}@<the release's digest>"
    return shown(value)


def _why(path: str) -> str:
    return next(why for pattern, why in _COMPILED if pattern.match(path))


def lines_of(service: str, found: Sequence[Fate], cautions: Sequence[str]) -> Iterator[str]:
    """A report as people read it; the slot is blue, and green is alike."""
    # Every object has, beside what is told: the environment's namespace, labels and annotations of version and slot.
    yield f"{service}: {len([fate for fate in found if fate.chart])} objects of the chart"
    for fate in found:
        if not fate.chart:
            yield f"  added    {fate.made}"
            continue
        yield f"  {'changed' if fate.changes else 'as it is'}  {fate.chart} -> {fate.made}"
        for change in fate.changes:
            before = "" if change.before == "nothing" else f"{change.before} -> "
            yield f"             {change.path}: {before}{'left out' if change.after == 'nothing' else change.after} ({change.why})"
    for caution in cautions:
        yield f"  WARNING  {caution}"
