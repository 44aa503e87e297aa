"""Durations, reading by type, effective services, compiled and compressed catalogs."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import typing
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import candlefish
from candlefish.catalog import shape
from candlefish.catalog.compile import FLOORS, compile, scaled
from candlefish.catalog.kinds import unwrap
from candlefish.catalog.load import load
from candlefish.catalog.model import (
    Cache,
    Calendar,
    Catalog,
    Duration,
    JudgePolicy,
    Replicas,
    Schedule,
    Service,
    ServiceOverride,
    Strategy,
    decode_hook,
    encode_hook,
)
from candlefish.catalog.read import effective, prefixed, read
from candlefish.errors import Misconfigured, UnknownService
from tests.support.catalogs import FIXTURES

from .conftest import TODAY


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load(FIXTURES, TODAY)


# --- durations ----------------------------------------------------------------------------


@given(st.integers(0, 400), st.integers(0, 50), st.integers(0, 100), st.integers(0, 100))
def test_a_duration_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert Duration.parse(text) == days * 86400 + hours * 3600 + minutes * 60 + seconds


@given(st.integers(0, 10**9).map(lambda milliseconds: Duration(milliseconds / 1000)))
def test_a_duration_reads_back_as_it_is_written(duration: Duration) -> None:
    assert math.isclose(Duration.parse(str(duration)), duration, abs_tol=1e-3)


@given(st.text(max_size=12) | st.floats() | st.booleans() | st.none() | st.integers())
def test_anything_else_is_a_duration_or_a_clear_error(value: object) -> None:
    try:
        duration = Duration.parse(value)
    except ValueError as error:
        assert "write it like 90s" in str(error)
    else:
        assert 0 <= duration < math.inf


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172800), ("0.5s", 0.5), ("0s", 0)]
)
def test_durations_people_write(text: str, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "-5m", "5m1h", "1.5h", "forever", "5M"])
def test_durations_nobody_can_mean(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse(text)


# --- text is read by the type of its field ------------------------------------------------


@pytest.mark.parametrize("text", ["on", "012", "1.10", "22:30", "2026-12-24", "1_000", "true", "0x1F", "NO"])
def test_yaml_does_not_guess_what_text_means(text: str) -> None:
    notes = shape.Notes()
    notes.places[()] = ("here", 1)
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None
    assert shape.build(node, str, (), notes) == text
    assert notes.problems == []


def test_aliases_mean_what_they_stand_for(folder: Path) -> None:
    services = folder / "services.yaml"
    text = services.read_text(encoding="utf-8")
    resources = "{cpu: 100m, memory: 128Mi, cpu_limit: 500m, memory_limit: 256Mi}"
    text = text.replace(
        "resources: {cpu: 100m, memory: 256Mi", "resources: &small {cpu: 100m, memory: 256Mi", 1
    )
    assert resources in text
    services.write_text(text.replace(resources, "*small"), encoding="utf-8")
    catalog = load(folder, TODAY)
    assert catalog.service("careers").resources == catalog.service("analytics-dashboard").resources


@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
def test_both_yaml_loaders_tell_quotes_apart(loader: type) -> None:
    for text, fits in (("{port: 80}", True), ("{port: '80'}", False), ('{port: "80"}', False)):
        notes = shape.Notes()
        notes.places[()] = ("here", 1)
        shape.build(yaml.compose(text, Loader=loader), dict[str, int], (), notes)
        assert (notes.problems == []) is fits, text


# --- the first user -----------------------------------------------------------------------


def test_the_first_users_services(catalog: Catalog) -> None:
    facts = {
        name: (s.port, s.health_path, s.host, s.replicas.min, s.replicas.max, s.image)
        for name, s in catalog.services.items()
    }
    image = "ghcr.io/example-org"
    assert facts == {
        "website": (3000, "/api/health", "example.org", 3, 15, f"{image}/website"),
        "backend-api": (8000, "/health", "api.example.org", 5, 25, f"{image}/backend-api"),
        "analytics-dashboard": (
            *(80, "/health", "analytics.example.org", 3, 10),
            f"{image}/analytics-dashboard",
        ),
        "storefront": (3000, "/api/health", "storefront.example.org", 4, 15, f"{image}/storefront"),
        "careers": (80, "/health", "careers.example.org", 2, 8, f"{image}/careers"),
        "api-gateway": (8080, "/health", "gateway.example.org", 3, 12, f"{image}/api-gateway"),
    }
    assert {name for name, s in catalog.services.items() if s.low_port} == {
        "analytics-dashboard",
        "careers",
    }


def test_the_first_users_environments(catalog: Catalog) -> None:
    facts = {
        name: (e.region, e.recovery_region, e.cluster, e.namespace, e.strategy, e.cost.low, e.cost.high)
        for name, e in catalog.environments.items()
    }
    west, east = "us-west-2", "us-east-1"
    assert facts == {
        "development": (west, east, "example-development", "example-dev", "rolling", 200, 400),
        "staging": (west, east, "example-staging", "example-staging", "blue-green", 400, 600),
        "production": (west, east, "example-production", "example-prod", "canary", 800, 1200),
    }
    assert [name for name, e in catalog.environments.items() if e.schedule is None] == ["production"]


def test_the_first_users_strategies(catalog: Catalog) -> None:
    steps = {
        name: [step.weight if step.kind == "weight" else step.kind for step in strategy.steps]
        for name, strategy in catalog.strategies.items()
    }
    assert steps == {
        "rolling": ["bake"],
        "blue-green": ["smoke", 100, "bake"],
        "canary": ["smoke", 10, "judge", "approve", 50, "judge", 100, "bake"],
    }
    assert catalog.strategy("production").rollback_window == 3600


# --- look-ups -----------------------------------------------------------------------------


def test_unknown_names_say_which_they_may_have_meant(catalog: Catalog) -> None:
    with pytest.raises(UnknownService, match="no service 'web-site'; did you mean 'website'"):
        catalog.service("web-site")
    with pytest.raises(UnknownService, match="no environment 'producton'; did you mean 'production'"):
        catalog.environment("producton")
    with pytest.raises(UnknownService, match="it is one of development, production, staging"):
        catalog.strategy("nowhere")
    with pytest.raises(UnknownService, match="no judge policy"):
        catalog.policy("x")
    with pytest.raises(UnknownService, match="there are none"):
        Catalog(services={}, environments={}, strategies={}, policies={}).service("website")


# --- a service in an environment ----------------------------------------------------------


def test_an_environment_caps_replicas_and_never_raises_them(catalog: Catalog) -> None:
    environment = msgspec.structs.replace(catalog.environment("staging"), replicas=Replicas(min=3, max=9))
    brand = effective(catalog.service("careers"), environment)
    api = effective(catalog.service("backend-api"), environment)
    assert (brand.replicas.min, brand.replicas.max) == (2, 8)
    assert (api.replicas.min, api.replicas.max) == (3, 9)


def test_production_runs_services_as_they_are(catalog: Catalog) -> None:
    production = catalog.environment("production")
    for service in catalog.services.values():
        here = effective(service, production)
        assert (here.host, here.replicas, here.resources) == (
            service.host,
            service.replicas,
            service.resources,
        )


def test_an_override_wins_over_environment_and_service(catalog: Catalog) -> None:
    override = ServiceOverride(
        host="special.example.org",
        replicas=Replicas(min=9, max=99),
        env={"LOG_LEVEL": "trace"},
        judge="strict",
    )
    environment = msgspec.structs.replace(
        catalog.environment("development"),
        overrides={"backend-api": override},
        env={"LOG_LEVEL": "warn", "REGION": "west"},
    )
    service = effective(catalog.service("backend-api"), environment)
    assert (service.host, service.replicas, service.judge) == (
        "special.example.org",
        Replicas(min=9, max=99),
        "strict",
    )
    assert service.env == {"LOG_LEVEL": "trace", "REGION": "west"}
    assert effective(catalog.service("website"), environment).env["LOG_LEVEL"] == "warn"


@pytest.mark.parametrize(
    ("host", "prefix", "expected"),
    [
        ("api.example.org", "", "api.example.org"),
        ("api.example.org", "staging", "api.staging.example.org"),
        ("example.org", "dev", "dev.example.org"),
        ("a.b.example.org", "dev", "a.b.dev.example.org"),
        ("shop.example.co.uk", "dev", "shop.dev.example.co.uk"),
        ("example.co.uk", "dev", "dev.example.co.uk"),
    ],
)
def test_the_prefix_goes_before_the_registered_domain(host: str, prefix: str, expected: str) -> None:
    assert prefixed(host, prefix) == expected


# --- compiled -----------------------------------------------------------------------------


def test_what_functions_read_is_what_was_compiled(catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    file.write_bytes(compile(catalog))
    assert read(file) == catalog
    assert isinstance(read(file).strategy("production").rollback_window, Duration)


def test_the_same_files_give_the_same_bytes(catalog: Catalog) -> None:
    assert compile(load(FIXTURES, TODAY)) == compile(catalog)
    assert compile(load(FIXTURES, TODAY.replace(month=1, day=1))) == compile(catalog)


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
DURATIONS = st.integers(0, 10**7).map(lambda seconds: Duration(seconds / 10))


@given(
    st.dictionaries(
        NAMES,
        st.builds(
            Strategy,
            name=NAMES,
            kind=st.sampled_from(["rolling", "blue_green", "canary"]),
            rollback_window=DURATIONS,
            ready_within=DURATIONS,
            hold_at_most=DURATIONS,
        ),
        max_size=3,
    ),
    st.dictionaries(
        NAMES, st.builds(Calendar, name=NAMES, days=st.dictionaries(NAMES, st.text(max_size=5))), max_size=3
    ),
    st.builds(
        Schedule,
        timezone=st.text(max_size=9),
        awake=st.tuples(st.text(max_size=9)),
        override_at_most=DURATIONS,
    ),
    st.builds(Cache, name=NAMES, replication_group=NAMES),
)
def test_compiling_loses_nothing(
    strategies: dict[str, Strategy], calendars: dict[str, Calendar], schedule: Schedule, cache: Cache
) -> None:
    environment = msgspec.structs.replace(
        load_once().environment("staging"), schedule=schedule, caches=(cache,), env={"A": "b"}
    )
    before = msgspec.structs.replace(
        load_once(), strategies=strategies, calendars=calendars, environments={"staging": environment}
    )
    data = compile(before)
    after = msgspec.json.decode(data, type=Catalog, dec_hook=decode_hook)
    assert after == before
    assert compile(after) == data


_LOADED: list[Catalog] = []


def load_once() -> Catalog:
    if not _LOADED:
        _LOADED.append(load(FIXTURES, TODAY))
    return _LOADED[0]


def test_a_compiled_catalog_that_is_missing_or_of_another_version_says_so(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"cannot read .*No such file.*candlefish catalog compile"):
        read(tmp_path / "nothing.json")
    file = tmp_path / "catalog.json"
    for data in (b"", b"{}", b'{"services":{},"environments":{},"strategies":{},"policies":{},"new":1}'):
        file.write_bytes(data)
        with pytest.raises(Misconfigured, match="does not fit this code"):
            read(file)


def test_functions_read_the_catalog_without_the_builders_packages(tmp_path: Path, catalog: Catalog) -> None:
    file = tmp_path / "catalog.json"
    file.write_bytes(compile(catalog))
    builders = ("yaml", "botocore", "holidays", "icalendar", "zoneinfo", "difflib")
    code = (
        f"import sys; from candlefish.catalog.read import read, effective; c = read({str(file)!r}); "
        "effective(c.service('website'), c.environment('staging')); "
        f"print([m for m in {builders} if m in sys.modules])"
    )
    package = str(Path(candlefish.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": package},
    )
    assert result.stdout.strip() == "[]"


def test_hooks_refuse_what_they_do_not_know() -> None:
    with pytest.raises(NotImplementedError):
        decode_hook(complex, "1")
    with pytest.raises(NotImplementedError):
        encode_hook(object())


# --- compressed time ----------------------------------------------------------------------


def test_compressed_time_divides_what_a_release_waits_for(catalog: Catalog) -> None:
    canary = scaled(catalog, 60).strategies["canary"]
    assert [step.judge.at_most for step in canary.steps if step.judge] == [30, 30]
    assert [step.bake.at_most for step in canary.steps if step.bake] == [15]
    assert canary.rollback_window == 60
    assert canary.ready_within == FLOORS[Strategy, "ready_within"]
    assert scaled(catalog, 60).policies["default"].window == 1


def test_compressed_time_leaves_everything_else(catalog: Catalog) -> None:
    fast = scaled(catalog, 60)
    assert (fast.services, fast.environments, fast.people) == (
        catalog.services,
        catalog.environments,
        catalog.people,
    )
    assert fast.policies["default"].slow_over == catalog.policies["default"].slow_over
    assert [s.weight for s in fast.strategies["canary"].steps] == [
        s.weight for s in catalog.strategies["canary"].steps
    ]


@given(st.floats(1, 1e6))
def test_compressed_durations_never_grow_fall_below_their_floor_or_leave_zero(factor: float) -> None:
    fast, slow = scaled(load_once(), factor), load_once()
    for name, strategy in slow.strategies.items():
        quick = fast.strategies[name]
        assert quick.ready_within <= strategy.ready_within
        assert quick.ready_within >= FLOORS[Strategy, "ready_within"]
        assert (quick.rollback_window == 0) is (strategy.rollback_window == 0)


def test_a_factor_of_one_changes_nothing_and_none_is_refused(catalog: Catalog) -> None:
    assert scaled(catalog, 1) == catalog
    for factor in (0, -1, math.nan):
        with pytest.raises(ValueError, match="factor above 0"):
            scaled(catalog, factor)


def test_every_duration_of_a_release_is_compressed_or_kept_on_purpose() -> None:
    kept = {(JudgePolicy, "slow_over")}
    found: set[tuple[type, str]] = set()

    def visit(kind: object) -> None:
        kind, _ = unwrap(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for field in msgspec.structs.fields(kind):
                if Duration in (field.type, *typing.get_args(field.type)):
                    found.add((kind, field.name))
                visit(field.type)
        for argument in typing.get_args(kind):
            visit(argument)

    visit(Strategy)
    visit(JudgePolicy)
    assert found - kept == set(FLOORS)


def test_a_service_needs_no_more_than_it_says() -> None:
    service = load_once().service("careers")
    assert (service.env, service.secrets, service.smoke_paths) == ({}, (), ())
    assert Service.__struct_fields__[0] == "name"
