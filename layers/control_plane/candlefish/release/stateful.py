"""What stays of a StatefulSet, and how one is taken over and given back. Pure. How far one is: `release.stateful_rollout`.

Kubernetes refuses a changed selector, serviceName, podManagementPolicy and volumeClaimTemplates, and it would lose
nothing by that: the claims of <volume>-<name>-<number> are found by these. So what is there stays letter for letter,
and what the version means otherwise is refused before anything is applied.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from candlefish.errors import ClusterRefused
from candlefish.label_selectors import selects
from candlefish.release.manifests.labels import of_a_taken_over
from candlefish.release.manifests.model import (
    ADOPTED_NOTE,
    GENERATION_NOTE,
    GIVEN_BACK_NOTE,
    RELEASE_LABEL,
    SERVICE_LABEL,
    SLOT_LABEL,
)
from candlefish.release.manifests.values import amount
from candlefish.release.model import Manifest

# What Kubernetes lets nobody change.
FIXED = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
# What a release writes of the rest, and gives back.
_OURS = ("template", "updateStrategy", "persistentVolumeClaimRetentionPolicy")


# --- what stays -----------------------------------------------------------------------------------


def fitted(manifest: Manifest, live: Manifest | None) -> Manifest:
    """A StatefulSet as it may be applied to the one that is there: with what can never be changed of that one.

    Other objects, and a StatefulSet that is not there yet, stay as they are.

    Raises
    ------
    ClusterRefused
        It would change what cannot be changed, or nobody has handed the one that is there over.
    """
    if manifest["kind"] != "StatefulSet" or live is None:
        return manifest
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    subject, spec = f"StatefulSet {name} in {namespace}", live["spec"]
    service = manifest["metadata"]["labels"][SERVICE_LABEL]
    if not _is_handed_over(live, service):
        raise ClusterRefused(
            f"{subject} is there, and nobody has handed it over: with a label on it the next release takes it over "
            f"where it stands, with its volumes: kubectl label statefulset {name} -n {namespace} "
            f"{SERVICE_LABEL}={service}; nothing was changed"
        )
    if found := list(_changed(manifest["spec"], spec)):
        raise ClusterRefused(
            f"{subject} cannot be changed so: {'; '.join(found)}. Kubernetes never changes these of a StatefulSet "
            "that is there; write the catalog as it is, or move the data to a service of another name "
            "(docs/kubernetes.md, Stateful services); nothing was changed"
        )
    template, before = manifest["spec"]["template"], _template_before(live)
    theirs = (before.get("metadata") or {}).get("labels") or {}
    labels = {
        **of_a_taken_over(theirs, template["metadata"]["labels"]),
        **(spec["selector"].get("matchLabels") or {}),
    }
    if not selects(spec["selector"], labels):
        raise ClusterRefused(
            f"{subject} selects its Pods by matchExpressions that labels of ours do not fit, and its selector cannot be "
            "changed; make a service of another name and move the data there; nothing was changed"
        )
    kept = {field: spec[field] for field in FIXED if field in spec}
    metadata = {**template["metadata"], "labels": labels}
    return {
        **manifest,
        "spec": {
            **manifest["spec"],
            **kept,
            "template": {"metadata": metadata, "spec": _unhurried(template["spec"], before)},
        },
    }


def standing(manifest: Manifest, live: Manifest, *, again: bool) -> Manifest:
    """An object of a stateful service beside the StatefulSet that is there.

    Its network policy lets Pods talk to those as well that were not replaced yet, which have no label of ours: a database
    that cannot reach the others of its kind never gets ready, or takes itself for the only one. With `again` a version
    comes back that ran before: volumes that were made larger since stay so, where a new version would be refused.
    """
    spec = manifest.get("spec", {})
    if manifest["kind"] == "NetworkPolicy":
        own = {"podSelector": {"matchLabels": {SERVICE_LABEL: manifest["metadata"]["labels"][SERVICE_LABEL]}}}
        before = {"podSelector": live["spec"]["selector"]}
        if before == own:
            return manifest
        opened = {
            way: [{peers: [own, before]} if rule == {peers: [own]} else rule for rule in spec[way]]
            for way, peers in (("ingress", "from"), ("egress", "to"))
            if way in spec
        }
        return {**manifest, "spec": {**spec, **opened}}
    if manifest["kind"] == "StatefulSet" and again and _claims(spec).keys() <= _claims(live["spec"]).keys():
        changing = {field: value for field, value in spec.items() if field not in FIXED}
        defaults = {"serviceName": "", "podManagementPolicy": "OrderedReady"}
        kept = {field: live["spec"][field] for field in FIXED if field in live["spec"]}
        return {**manifest, "spec": {**changing, **defaults, **kept}}
    return manifest


def _template_before(live: Manifest) -> Manifest:
    """What the Pods of a StatefulSet were made from before its first release; nothing of one that we made."""
    notes = _notes(live)
    theirs = GENERATION_NOTE not in notes or GIVEN_BACK_NOTE in notes
    before = live["spec"] if theirs else json.loads(notes.get(ADOPTED_NOTE, "{}"))
    found: Manifest = before.get("template") or {}
    return found


def _unhurried(pod: Manifest, before: Manifest) -> Manifest:
    """A Pod that has as long to write what it has in memory as it had before its first release, if that was longer."""
    field = "terminationGracePeriodSeconds"
    return {**pod, field: max(pod[field], (before.get("spec") or {}).get(field, 0))}


def _is_handed_over(live: Manifest, service: str) -> bool:
    labels = live["metadata"].get("labels") or {}
    return GENERATION_NOTE in _notes(live) or labels.get(SERVICE_LABEL) == service


def _changed(wanted: Manifest, spec: Manifest) -> Iterator[str]:
    """What of a StatefulSet's spec would be another than it is, in words. Its selector is never the catalog's."""
    if wanted["serviceName"] != spec.get("serviceName", ""):
        yield (
            f"serviceName is {spec.get('serviceName') or 'empty'}, and the version wants {wanted['serviceName']} "
            f"(stateful.headless_service)"
        )
    if wanted["podManagementPolicy"] != spec.get("podManagementPolicy", "OrderedReady"):
        yield (
            f"podManagementPolicy is {spec.get('podManagementPolicy', 'OrderedReady')}, and the version wants "
            f"{wanted['podManagementPolicy']} (stateful.start)"
        )
    here, there = _claims(spec), _claims(wanted)
    for name in sorted(here.keys() | there.keys()):
        if name not in there:
            yield f"volume {name} is there, and the version has none of that name (stateful.volumes)"
        elif name not in here:
            yield f"volume {name} is not there, and the version wants it (stateful.volumes)"
        else:
            for field, value in here[name].items():
                if not _same(value, new := there[name][field]):
                    yield f"volume {name} has {field} {value or 'by default'}, and the version wants {new or 'the default'}"


def _claims(spec: Manifest) -> dict[str, dict[str, str]]:
    return {
        each["metadata"]["name"]: {
            "size": str(each["spec"]["resources"]["requests"]["storage"]),
            "storage_class": each["spec"].get("storageClassName") or "",
            "access": ", ".join(each["spec"].get("accessModes") or ()),
        }
        for each in spec.get("volumeClaimTemplates") or ()
    }


def _same(here: str, there: str) -> bool:
    """Whether two values are one: the API writes 1024Gi as 1Ti."""
    return here == there or 0 < amount(here) == amount(there)


# --- taking over ----------------------------------------------------------------------------------


def is_adopted(live: Manifest | None) -> bool:
    """Whether a StatefulSet was somebody's before: what their tools say they own of it is ours."""
    return live is not None and ADOPTED_NOTE in _notes(live)


def must_take_over(manifest: Manifest, live: Manifest | None) -> bool:
    """Whether a StatefulSet is there that no release wrote, or that was given back."""
    if manifest["kind"] != "StatefulSet" or live is None:
        return False
    return GENERATION_NOTE not in _notes(live) or GIVEN_BACK_NOTE in _notes(live)


def taken_over(manifest: Manifest, live: Manifest) -> Manifest:
    """The merge patch that puts ours in the place of what a StatefulSet runs, and keeps that in a note.

    Applied on top of it instead, containers and variables of the one before would stay beside ours.
    """
    metadata = manifest["metadata"]
    before = {field: live["spec"][field] for field in _OURS if field in live["spec"]}
    notes = {
        **metadata["annotations"],
        ADOPTED_NOTE: json.dumps(before, sort_keys=True, separators=(",", ":")),
        GIVEN_BACK_NOTE: None,
    }
    return {
        "metadata": {"labels": metadata["labels"], "annotations": notes},
        "spec": _replacing(live["spec"], manifest["spec"]),
    }


def given_back(live: Manifest, generation: int) -> Manifest | None:
    """The merge patch that puts back what a StatefulSet ran before its first release; None where it runs that, or no
    StatefulSet was there before."""
    notes = _notes(live)
    if ADOPTED_NOTE not in notes or GIVEN_BACK_NOTE in notes:
        return None
    before = json.loads(notes[ADOPTED_NOTE])
    return {
        "metadata": {
            "labels": {SLOT_LABEL: None, RELEASE_LABEL: None},
            "annotations": {GIVEN_BACK_NOTE: "true", GENERATION_NOTE: str(generation)},
        },
        "spec": _replacing(live["spec"], before),
    }


def _replacing(old: Manifest, new: Manifest) -> Manifest:
    return {
        field: new.get(field) and _merge_patch(old.get(field), new[field])
        for field in _OURS
        if field in old or field in new
    }


def _merge_patch(old: Any, new: Any) -> Any:
    """What a merge patch has to say so that `old` becomes `new`: fields that are gone are null, lists are whole."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    gone = dict.fromkeys(old.keys() - new.keys())
    return {**gone, **{key: _merge_patch(old.get(key), value) for key, value in new.items()}}


def _notes(live: Manifest) -> Mapping[str, str]:
    return live["metadata"].get("annotations") or {}
