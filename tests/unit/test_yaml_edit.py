"""Changes to YAML that people wrote keep what they wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from candlefish.errors import InvalidInput
from cli.yaml_edit import append_at, edit, look_at, set_at

CATALOG = Path(__file__).parents[2] / "catalog"
SERVICES = """\
# What runs.

# The shop itself.
shop:
  image: registry.example.com/shop  # built by CI
  replicas: {min: 3, max: 15}
  env:
    # Never info: it logs addresses.
    LOG_LEVEL: "warn"
  smoke_paths:
    - /healthz   # cheap
    - /
"""


def test_a_value_changes_and_nothing_else() -> None:
    assert set_at(SERVICES, ("shop", "replicas", "min"), 5) == SERVICES.replace("min: 3", "min: 5")


def test_a_new_key_has_its_comment_above_it_and_the_others_keep_theirs() -> None:
    changed = set_at(SERVICES, ("shop", "env", "ZONE"), "eu", "guessed from Deployment shop/shop")
    assert "    # guessed from Deployment shop/shop\n    ZONE: eu\n" in changed
    assert "# Never info: it logs addresses." in changed
    assert look_at(changed, ("shop", "env")) == {"LOG_LEVEL": "warn", "ZONE": "eu"}


def test_mappings_on_the_way_are_made() -> None:
    assert look_at(set_at(SERVICES, ("cart", "replicas", "min"), 2), ("cart",)) == {"replicas": {"min": 2}}


def test_a_file_of_comments_keeps_them() -> None:
    assert set_at("# Nobody yet.\n", ("ada",), {"github": "ada"}) == "# Nobody yet.\nada:\n  github: ada\n"


def test_a_list_grows_by_one_and_not_twice() -> None:
    once = append_at(SERVICES, ("shop", "smoke_paths"), "/cart")
    assert once == f"{SERVICES}    - /cart\n"
    assert append_at(once, ("shop", "smoke_paths"), "/cart") == once


def test_a_list_that_is_missing_is_made() -> None:
    assert look_at(append_at(SERVICES, ("shop", "depends_on"), "cart"), ("shop", "depends_on")) == ["cart"]


@pytest.mark.parametrize("word", ["yes", "12:30", "0644", "2026-11-28", "null", "=", "1e3"])
def test_text_stays_text_whichever_yaml_reads_it(word: str) -> None:
    assert look_at(set_at(SERVICES, ("shop", "env", "WORD"), word), ("shop", "env", "WORD")) == word


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (("shop", "smoke_paths"), "would lose a comment"),
        (("shop", "image", "name"), "shop.image is nothing that has parts"),
        (("shop", "smoke_paths", 7), "is no place of a list of 2"),
    ],
)
def test_what_cannot_be_done_without_a_loss_is_refused(where: tuple[str | int, ...], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        set_at(SERVICES, where, {"A": "b"})


def test_what_an_alias_shares_is_not_changed_in_two_places() -> None:
    text = "a: &one {x: 1}\nb: *one\n"
    with pytest.raises(InvalidInput, match="more than that"):
        set_at(text, ("b", "x"), 2)


def test_appending_to_what_is_no_list_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is no list"):
        append_at(SERVICES, ("shop", "image"), "x")


def test_a_file_is_changed_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    file.write_text(SERVICES)
    with pytest.raises(InvalidInput):
        edit(file, lambda text: set_at(text, ("shop", "smoke_paths"), ["/"]))
    assert file.read_text() == SERVICES
    assert edit(file, lambda text: set_at(text, ("shop", "port"), 80))
    assert not edit(file, lambda text: set_at(text, ("shop", "port"), 80))
    assert [each.name for each in tmp_path.iterdir()] == ["services.yaml"]


@pytest.mark.parametrize("file", sorted(CATALOG.rglob("*.yaml")), ids=lambda file: file.stem)
def test_the_catalogs_own_files_keep_all_their_lines(file: Path) -> None:
    text = file.read_text()
    changed = set_at(text, ("new",), {"port": 80}, "guessed")
    assert [line for line in text.splitlines() if line not in changed.splitlines()] == []
    assert yaml.safe_load(changed) == {**yaml.safe_load(text), "new": {"port": 80}}


@given(
    st.dictionaries(
        st.text("abcdefgh", min_size=1),
        st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF)) | st.integers() | st.booleans(),
        max_size=4,
    )
)
def test_whatever_is_set_is_what_is_read(value: dict[str, object]) -> None:
    try:
        assert look_at(set_at(SERVICES, ("shop", "other"), value), ("shop", "other")) == value
    except InvalidInput as error:
        assert "changing shop.other" in str(error)
