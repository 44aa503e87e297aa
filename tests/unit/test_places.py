"""Where the catalog is found, and what a shell completes of it."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from cli import options
from cli.completion import complete_either, complete_environment, complete_release, remember
from cli.places import catalog_folder, environments_of, region_of, services_of, usual_environment
from cli.status import status_command


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a catalog, and a folder deep in it."""
    environments = tmp_path / "catalog" / "environments"
    environments.mkdir(parents=True)
    (environments / "prod.yaml").write_text("region: eu-central-1  # Frankfurt\ncluster: x\n")
    (environments / "prod-eu.yaml").write_text("cluster: x\nregion: &r eu-central-1\n")
    (tmp_path / "catalog" / "services.yaml").write_text("# ours\nshop:\n  image: x\ncart-api:\n  image: y\n")
    (tmp_path / "services" / "shop").mkdir(parents=True)
    monkeypatch.delenv("CANDLEFISH_CATALOG", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_it_is_searched_upwards(company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(company / "services" / "shop")
    assert catalog_folder() == company / "catalog"
    monkeypatch.chdir(company)
    assert catalog_folder() == Path("catalog")


def test_the_variable_wins(company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(company)
    monkeypatch.setenv("CANDLEFISH_CATALOG", "/elsewhere/catalog")
    assert catalog_folder() == Path("/elsewhere/catalog")


def test_a_folder_without_environments_is_no_catalog(company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (company / "services" / "catalog").mkdir()
    monkeypatch.chdir(company / "services")
    assert catalog_folder() == company / "catalog"


def test_a_region_that_is_written_otherwise_is_read_by_the_catalog_itself(company: Path) -> None:
    assert region_of(company / "catalog", "prod") == "eu-central-1"
    assert region_of(company / "catalog", "prod-eu") is None


@pytest.mark.parametrize(
    ("production", "meant"),
    [
        ({"prod": "production: true\n"}, "prod"),
        ({"prod": "production: true # ours\n", "test": ""}, "prod"),
        ({"live-eu": ""}, "live-eu"),
        ({"prod": "production: true\n", "prod-eu": "production: true\n"}, ""),
        ({"stage": "", "test": "production: false\n"}, ""),
        # Something else's, not the environment's.
        ({"stage": "env:\n  production: true\n", "test": ""}, ""),
        ({}, ""),
    ],
)
def test_the_only_environment_or_the_only_production_is_meant(
    tmp_path: Path, production: dict[str, str], meant: str
) -> None:
    (tmp_path / "environments").mkdir()
    for name, text in production.items():
        (tmp_path / "environments" / f"{name}.yaml").write_text(f"cluster: x\n{text}")
    assert usual_environment(tmp_path) == meant


def test_who_means_one_of_several_is_asked_which(company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "CATALOG", company / "catalog")
    context = click.Context(status_command)
    parameter = next(each for each in status_command.params if each.name == "stack")
    with pytest.raises(click.MissingParameter, match="there are prod, prod-eu") as refused:
        options.named(context, parameter, None)
    assert "-e" in refused.value.format_message()
    assert options.named(context, parameter, "prod-eu") == "prod-eu"
    (company / "catalog" / "environments" / "prod.yaml").write_text("production: true\n")
    assert options.named(context, parameter, None) == "prod"


def test_names_are_completed_from_the_catalog_and_from_what_was_seen(
    company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(company)
    context = click.Context(status_command)
    context.params["stack"] = "prod"
    parameter = status_command.params[0]
    assert complete_environment(context, parameter, "prod-") == ["prod-eu"]
    assert services_of(company / "catalog") == ["cart-api", "shop"]
    assert complete_release(context, parameter, "") == []
    remember("prod", releases=["shop-2", "shop-1"])
    remember("prod", releases=["shop-3"])
    remember("prod-eu", releases=["shop-9"])
    assert complete_release(context, parameter, "") == ["shop-3", "shop-2", "shop-1"]
    assert complete_either(context, parameter, "sh") == ["shop", "shop-3", "shop-2", "shop-1"]


def test_without_a_catalog_what_was_seen_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CANDLEFISH_CATALOG", str(tmp_path / "none"))
    remember("prod", services=["shop"])
    context, parameter = click.Context(status_command), status_command.params[0]
    context.params["stack"] = "prod"
    assert complete_environment(context, parameter, "") == ["prod"]
    assert complete_either(context, parameter, "s") == ["shop"]
    assert environments_of(tmp_path / "none") == []


def test_a_cache_that_cannot_be_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "candlefish").mkdir()
    file = tmp_path / "candlefish" / "prod.json"
    file.write_text('["no", "object"]')
    remember("prod", releases=["shop-1"])
    assert json.loads(file.read_text())["releases"] == ["shop-1"]
