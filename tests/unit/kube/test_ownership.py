"""Server-side apply in the fake: whatever is applied by whom, nothing of anybody else is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.kube.ownership import Manager, Owners, applied, owned_fields, read_owners, updated, write_owners
from lab.kube.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC, patched
from lab.kube.problems import ApiError

US, THEM = Manager("us", "Apply", "v1"), Manager("them", "Apply", "v1")

scalars = st.integers(0, 2)
containers: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from("abc"),
    st.fixed_dictionaries(
        {}, optional={"image": scalars, "env": st.dictionaries(st.sampled_from("xyz"), scalars, min_size=1)}
    ),
    max_size=3,
)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "thing"}}
    if labels := draw(st.dictionaries(st.sampled_from("pq"), scalars.map(str), max_size=2)):
        made["metadata"]["labels"] = labels
    spec: dict[str, Any] = draw(
        st.fixed_dictionaries({}, optional={"replicas": scalars, "selector": st.just({"a": "b"})})
    )
    items = []
    drawn: dict[str, dict[str, Any]] = draw(containers)
    for name, fields in drawn.items():
        item: dict[str, Any] = {"name": name, **{key: value for key, value in fields.items() if key != "env"}}
        if "env" in fields:
            item["env"] = [{"name": key, "value": value} for key, value in fields["env"].items()]
        items.append(item)
    if items:
        spec["containers"] = items
    if spec:
        made["spec"] = spec
    return made


def fields(value: dict[str, Any]) -> dict[Any, Any]:
    """Fields with a value; what removal leaves empty counts as gone."""
    return {path: item for path, item in owned_fields(value).items() if item not in ({}, [])}


@given(configs(), configs())
def test_what_one_applied_last_is_what_there_is(first: dict[str, Any], second: dict[str, Any]) -> None:
    live, owners = applied(None, first, US, {}, force=False)
    live, owners = applied(live, second, US, owners, force=False)
    assert fields(live) == fields(second)
    assert set(owners) == {US}


@given(configs(), configs(), configs())
def test_two_who_apply_keep_each_others_fields(
    ours: dict[str, Any], theirs: dict[str, Any], again: dict[str, Any]
) -> None:
    live, owners = applied(None, ours, US, {}, force=False)
    live, owners = applied(live, theirs, THEM, owners, force=True)
    live, owners = applied(live, again, US, owners, force=True)
    wanted = fields(again)
    have = fields(live)
    assert wanted.items() <= have.items()
    for path, value in fields(theirs).items():
        assert have.get(path) == wanted.get(path, value)


@given(configs(), configs())
def test_a_conflict_is_told_when_a_value_of_somebody_else_would_change_and_only_then(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    live, owners = applied(None, ours, US, {}, force=False)
    mine, new = owned_fields(ours), owned_fields(theirs)
    clash = any(path in mine and mine[path] != value for path, value in new.items())
    try:
        applied(live, theirs, THEM, owners, force=False)
    except ApiError as error:
        assert (error.code, clash) == (409, True)
    else:
        assert not clash


@given(configs(), configs())
def test_a_plain_write_takes_over_what_it_changes(before: dict[str, Any], after: dict[str, Any]) -> None:
    writer = Manager("kubectl-edit", "Update", "v1")
    _, owners = applied(None, before, US, {}, force=False)
    made = updated(before, after, writer, owners)
    old, new = owned_fields(before), owned_fields(after)
    for path in new:
        taken = path not in old or old[path] != new[path]
        assert (path in made.get(writer, frozenset())) == taken
        assert (path in made.get(US, frozenset())) == (not taken)


@given(configs(), configs())
def test_owners_survive_being_written_down(first: dict[str, Any], second: dict[str, Any]) -> None:
    live, owners = applied(None, first, US, {}, force=False)
    live, owners = applied(live, second, THEM, owners, force=True)
    live["metadata"]["managedFields"] = write_owners(owners, None, "2026-11-24T00:00:00Z")
    kept: Owners = read_owners(live)
    assert kept == owners


@given(configs(), configs())
def test_a_merge_patch_of_everything_is_the_same_as_the_value(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    assert patched({}, two, MERGE_PATCH, builtin=True) == two
    assert patched(one, one, STRATEGIC, builtin=True) == one


def test_patches_that_are_none_are_refused() -> None:
    with pytest.raises(ApiError, match="list of operations"):
        patched({}, {}, JSON_PATCH, builtin=True)
    with pytest.raises(ApiError, match="custom resources"):
        patched({}, {}, STRATEGIC, builtin=False)
    with pytest.raises(ApiError, match="unknown format"):
        patched({}, {}, "text/plain", builtin=True)
