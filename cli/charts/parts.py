"""Which objects of a chart belong to which service of the catalog; what belongs to nobody is listed with the reason."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from candlefish.catalog.model import Catalog, Service
from candlefish.errors import InvalidInput
from candlefish.label_selectors import selects
from candlefish.release.manifests.admit import REFUSED
from candlefish.release.manifests.allowed import OBJECTS
from candlefish.release.manifests.hooks import HOOK, events_of, why_not_run
from candlefish.release.manifests.images import repository
from candlefish.release.manifests.references import made_by, names_of, renamed
from cli.charts.rendered import Rendered

_LISTENER = "the control plane owns the listener rule of the service"
_MONITORING = "monitoring is the cluster's: install it with your cluster tooling; slots' Services and Pods keep its labels"
# Kinds that charts bring beside what is released. They are left out, and whatever needs them is told elsewhere.
LEFT_OUT = {
    "Ingress": _LISTENER,
    "HTTPRoute": _LISTENER,
    "GRPCRoute": _LISTENER,
    "TargetGroupBinding": "the control plane makes one for each slot",
    "ServiceMonitor": _MONITORING,
    "PodMonitor": _MONITORING,
    "PrometheusRule": _MONITORING,
    "PersistentVolumeClaim": "make it once with your cluster tooling; both slots must be able to mount it (ReadWriteMany)",
}
_POD_HOOK = (
    "is a Helm hook ({}) and a Pod, which nothing looks after; make it a Job, which a release runs once"
)
# What is called after the slot whatever the chart calls it.
_OF_SLOT = ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy")
Object = dict[str, Any]


class Left(NamedTuple):
    """An object that no bundle holds, and why."""

    what: str
    why: str


class Parts(NamedTuple):
    """The objects of each service, as its bundle holds them, and what is in none."""

    bundles: dict[str, list[Object]]
    left: list[Left]
    # By service: what was called otherwise in the chart, as (kind, before, after).
    renamed: dict[str, list[tuple[str, str, str]]]


def parts_of(found: Sequence[Rendered], catalog: Catalog, only: str = "") -> Parts:
    """Take a chart apart.

    Raises
    ------
    InvalidInput
        No Deployment in it is a service's, or not the one that was asked for, or two could be.
    """
    left: list[Left] = []
    taken: list[Rendered] = []
    for each in found:
        if why := _left_out(each.document):
            left.append(Left(title_of(each.document), why))
        else:
            taken.append(each._replace(document=_plain(each.document)))
    owners = _owners([each for each in taken if _kind(each.document) == "Deployment"], catalog, only)
    bundles: dict[str, list[Object]] = {}
    names: dict[str, list[tuple[str, str, str]]] = {}
    used: set[int] = set()
    for service, deployment in owners.items():
        jobs = [each for each in taken if _kind(each.document) == "Job"]
        run = [each.document for each in jobs if _runs_for(each, service, deployment, owners, catalog)]
        mine = [
            each.document
            for each in taken
            if _belongs(each.document, deployment, taken, run) or any(each.document is job for job in run)
        ]
        used |= {id(each) for each in mine}
        if not only or service == only:
            bundles[service], names[service] = _as_the_services(mine, catalog.services[service])
    for each in taken:
        if id(each.document) not in used:
            left.append(Left(title_of(each.document), _nobodys(each.document)))
    return Parts(bundles, left, names)


def title_of(document: Any) -> str:
    """What an object is called in a report."""
    if not isinstance(document, dict):
        return "something that is no object"
    return f"{document.get('kind') or 'object without kind'} {_name(document) or '(no name)'}"


def _left_out(document: Any) -> str:
    if not isinstance(document, dict):
        return ""
    if why := why_not_run(document):
        return why
    if _kind(document) == "Pod" and (events := events_of(document)):
        return _POD_HOOK.format(", ".join(sorted(events)))
    return LEFT_OUT.get(_kind(document), "")


def _plain(document: Any) -> Any:
    """An object that Helm makes for a hook to find is there before the hook's Job here, too: it is one like others."""
    if _kind(document) == "Job" or not events_of(document):
        return document
    notes = {name: each for name, each in _notes(document).items() if not name.startswith(HOOK)}
    return {**document, "metadata": {**document["metadata"], "annotations": notes}}


def _nobodys(document: Any) -> str:
    kind = _kind(document)
    if kind in REFUSED:
        return REFUSED[kind]
    if kind == "CronJob":
        return "it runs no service's image; install it with your cluster tooling"
    if kind not in OBJECTS:
        return "it is not a service's; install it once with your cluster tooling"
    if kind == "Deployment":
        return "no service of the catalog has its image or its name; add it to catalog/services.yaml"
    if kind == "Job":
        return (
            "it has no service's image, and is in no service's subchart: nobody knows whose release shall run it; give it "
            "the label app.kubernetes.io/name or app.kubernetes.io/component of its service"
        )
    return "no Deployment that is released needs it; install it with your cluster tooling, or leave it out"


# --- whose a Deployment is -----------------------------------------------------------------


def _owners(deployments: Sequence[Rendered], catalog: Catalog, only: str) -> dict[str, Object]:
    """The Deployment of each service: by name and image, then by image, then by name."""
    found: dict[str, list[Object]] = {}
    for each in deployments:
        if whose := _owner(each, deployments, catalog):
            found.setdefault(whose, []).append(each.document)
    if only and only not in found and len(deployments) == 1:
        # There is but one, and somebody says whose it is.
        found = {only: [deployments[0].document]}
    for service, documents in found.items():
        if len(documents) > 1 and (not only or service == only):
            names = ", ".join(_name(each) for each in documents)
            raise InvalidInput(
                f"Deployments {names} could all be {service}: give each a service of its own in the catalog (a worker is "
                "`kind: worker`), called like the Deployment or like its label app.kubernetes.io/name"
            )
    if not found or (only and only not in found):
        have = ", ".join(_name(each.document) for each in deployments) or "none"
        raise InvalidInput(
            f"no Deployment of the chart is {only or 'a service of the catalog'} (its Deployments: {have}); a service is "
            "found by the repository of its image, its name, or its subchart's name"
        )
    return {service: documents[0] for service, documents in found.items()}


def _owner(each: Rendered, all_of_them: Sequence[Rendered], catalog: Catalog) -> str:
    images = _images(each.document)
    by_image = [name for name, service in catalog.services.items() if repository(service.image) in images]
    words = _words(each)
    by_name = max((name for name in catalog.services if name in words), key=len, default="")
    if by_name and (by_name in by_image or not by_image):
        return by_name
    alike = [other for other in all_of_them if _images(other.document) & images]
    return by_image[0] if len(by_image) == 1 and (len(alike) == 1 or not by_name) else ""


def _words(each: Rendered) -> set[str]:
    """What a Deployment may be called by: its name, with and without the release in front, labels, the subchart."""
    labels = _section(_section(each.document, "metadata"), "labels")
    name, release = _name(each.document), _instance(each.document)
    keys = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app")
    return {
        name,
        name.removeprefix(f"{release}-"),
        each.subchart,
        *(str(labels.get(key, "")) for key in keys),
    } - {""}


def _instance(document: Any) -> str:
    """What helm's release is called, as most charts say it."""
    labels = _section(_section(document, "metadata"), "labels")
    return str(labels.get("app.kubernetes.io/instance", ""))


def _images(deployment: Object) -> set[str]:
    containers = _pod(deployment).get("containers")
    return {
        repository(each["image"])
        for each in (containers if isinstance(containers, list) else ())
        if isinstance(each, dict) and isinstance(each.get("image"), str)
    }


# --- what a Deployment needs ---------------------------------------------------------------


def _runs_for(
    job: Rendered,
    service: str,
    deployment: Object,
    owners: Mapping[str, Object],
    catalog: Catalog,
) -> bool:
    """Whether a Job is a service's: by its image, else by its labels or its subchart, else because there is no other one."""
    images = _images(job.document)
    by_image = [name for name in owners if repository(catalog.services[name].image) in images]
    words = _words(job)
    by_name = max((name for name in owners if name in words), key=len, default="")
    if by_image:
        return service == (by_name if by_name in by_image else by_image[0])
    return service == by_name or (not by_name and len(owners) == 1)


def _belongs(
    document: Any, deployment: Object, everything: Sequence[Rendered], run: Sequence[Object] = ()
) -> bool:
    """Whether an object is a Deployment's: it is the one, finds its Pods, moves it, or is named by its Pods, or by those of
    its Jobs (`run`) and CronJobs.
    """
    if document is deployment:
        return True
    kind, spec = _kind(document), _section(document, "spec")
    labels = _section(_section(_section(_section(deployment, "spec"), "template"), "metadata"), "labels")
    if kind == "Service":
        return bool(spec.get("selector")) and selects({"matchLabels": spec["selector"]}, labels)
    if kind in ("PodDisruptionBudget", "NetworkPolicy"):
        selector = spec.get("selector" if kind == "PodDisruptionBudget" else "podSelector")
        return bool(selector) and selects(selector, labels)
    if kind == "HorizontalPodAutoscaler":
        target = _section(spec, "scaleTargetRef")
        return bool((target.get("kind"), target.get("name")) == ("Deployment", _name(deployment)))
    if kind == "ServiceAccount":
        return bool(_pod(deployment).get("serviceAccountName") == _name(document))
    if kind == "CronJob":
        return bool(_images(_once(document)) & _images(deployment)) and _is_closest(
            document, deployment, everything
        )
    pods = [deployment, *run, *(_once(each) for each in _cron_jobs(deployment, everything))]
    named = frozenset[tuple[str, str]]().union(*(names_of(_pod(each)) for each in pods))
    if kind == "ExternalSecret":
        return ("Secret", str(_section(spec, "target").get("name") or _name(document))) in named
    if kind == "SecretProviderClass":
        return (kind, _name(document)) in named
    # A Secret that Pods name goes along: it is refused with the reason, not left out in silence.
    return kind in ("ConfigMap", "Secret") and (kind, _name(document)) in named


def _once(cron_job: Any) -> Object:
    """What a CronJob makes Pods from, in the shape of a Deployment."""
    return {"spec": _section(_section(_section(cron_job, "spec"), "jobTemplate"), "spec")}


def _cron_jobs(deployment: Object, everything: Sequence[Rendered]) -> list[Object]:
    found = [each.document for each in everything if _kind(each.document) == "CronJob"]
    return [each for each in found if _belongs(each, deployment, everything)]


def _is_closest(cron_job: Object, deployment: Object, everything: Sequence[Rendered]) -> bool:
    """Whether a CronJob is this Deployment's, where several run its image: the one whose name it begins with."""
    images = _images(_once(cron_job))
    alike = [
        _name(each.document)
        for each in everything
        if _kind(each.document) == "Deployment" and _images(each.document) & images
    ]
    closest = max((name for name in alike if _name(cron_job).startswith(name)), key=len, default=alike[0])
    return closest == _name(deployment)


def _as_the_services(
    mine: Sequence[Object], service: Service
) -> tuple[list[Object], list[tuple[str, str, str]]]:
    """Copies with names of the service's own: charts are called after their release, bundles after their service."""
    made = copy.deepcopy(list(mine))
    kinds: dict[str, list[Object]] = {kind: [] for kind in OBJECTS}
    for each in made:
        kinds.setdefault(_kind(each), []).append(each)
    changes: list[tuple[str, str, str]] = []
    for kind in _OF_SLOT:
        for number, each in enumerate(kinds[kind]):
            own = service.name if not number else f"{service.name}-{number + 1}"
            changes += _call(each, own)
    for each in kinds["HorizontalPodAutoscaler"]:
        _section(_section(each, "spec"), "scaleTargetRef")["name"] = service.name
    changes += _call_services(kinds["Service"], service, _pod(kinds["Deployment"][0]))
    with_names = {kind: kinds[kind] for kind in ("ConfigMap", "SecretProviderClass", "ExternalSecret")}
    wanted = {
        (kind, name): f"{service.name}-{name}"
        for kind, name in made_by(with_names)
        if not _is_own(name, service)
    }
    pods = [_pod(each) for each in (*kinds["Deployment"], *kinds["Job"], *map(_once, kinds["CronJob"]))]
    for pod in pods:
        renamed(pod, with_names, wanted)
    for each in kinds["CronJob"]:
        if not _is_own(_name(each), service):
            changes += _call(each, f"{service.name}-{_name(each)}")
    changes += [(kind, name, new) for (kind, name), new in sorted(wanted.items())]
    for each in kinds["ExternalSecret"]:
        if not _is_own(_name(each), service):
            changes += _call(each, f"{service.name}-{_name(each)}")
    for each in kinds["Job"]:
        # What it does needs the service's rights; others are the cluster's to give.
        if isinstance(pod := _pod(each), dict) and "serviceAccountName" in pod:
            pod["serviceAccountName"] = service.name
        short = _name(each).removeprefix(f"{_instance(each)}-").removeprefix(f"{service.name}-")
        changes += _call(each, f"{service.name}-{short}")
    for each in kinds["ServiceAccount"]:
        # Which one the Pods have is the catalog's to say.
        for runs in (kinds["Deployment"][0], *map(_once, kinds["CronJob"])):
            _pod(runs)["serviceAccountName"] = service.name
        changes += _call(each, service.name)
    return made, changes


def _call_services(
    services: Sequence[Object], service: Service, pod: Object
) -> Iterator[tuple[str, str, str]]:
    """The Service that leads to the service's port is called like it; others begin with its name."""
    containers = pod.get("containers")
    ports = {
        port.get("name"): port.get("containerPort")
        for each in (containers if isinstance(containers, list) else ())
        if isinstance(each, dict)
        for port in each.get("ports") or ()
        if isinstance(port, dict)
    }

    def leads(each: Object) -> bool:
        for port in _section(each, "spec").get("ports") or ():
            target = port.get("targetPort", port.get("port")) if isinstance(port, dict) else None
            if ports.get(target, target) == service.port:
                return True
        return False

    # One with an address before one without: a headless one is for finding single Pods.
    ranked = sorted(services, key=lambda each: _section(each, "spec").get("clusterIP") == "None")
    main = next((each for each in services if _name(each) == service.name), None) or next(
        (each for each in ranked if leads(each)), None
    )
    for each in services:
        if each is main:
            yield from _call(each, service.name)
        elif not _is_own(_name(each), service):
            yield from _call(each, f"{service.name}-{_name(each)}")


def _call(document: Object, name: str) -> list[tuple[str, str, str]]:
    before = _name(document)
    if before == name:
        return []
    document["metadata"]["name"] = name
    return [(_kind(document), before, name)]


def _is_own(name: str, service: Service) -> bool:
    return name == service.name or name.startswith(f"{service.name}-")


# --- reading what may be of any shape --------------------------------------------------------


def _section(value: Any, key: str) -> Any:
    """A map inside a map; an empty one where there is none."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _pod(deployment: Object) -> Any:
    return _section(_section(_section(deployment, "spec"), "template"), "spec")


def _kind(document: Any) -> str:
    return str(document.get("kind", "")) if isinstance(document, Mapping) else ""


def _name(document: Any) -> str:
    return str(_section(document, "metadata").get("name") or "")


def _notes(document: Any) -> Mapping[str, Any]:
    notes: Mapping[str, Any] = _section(_section(document, "metadata"), "annotations")
    return notes
