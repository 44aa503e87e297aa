"""Botocore reads its models through our decoder: the same content as with its own."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader, Loader

from candlefish.adapters.aws.api import session

LOADER = session().get_component("data_loader")


@pytest.mark.parametrize("service", ["dynamodb", "elbv2", "rds", "stepfunctions"])
def test_models_are_what_botocore_would_have_read(service: str) -> None:
    theirs = Loader(file_loader=JSONFileLoader()).load_service_model(service, "service-2")
    ours = LOADER.load_service_model(service, "service-2")
    assert ours == theirs
    # Parameters are written in the model's order.
    assert [list(shape) for shape in ours["shapes"].values()] == [list(s) for s in theirs["shapes"].values()]


@pytest.mark.parametrize(
    ("name", "pack"), [("model.json", bytes), ("model.json.gz", gzip.compress)], ids=["plain", "gzip"]
)
def test_plain_and_compressed_models_go_through_our_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / name).write_bytes(pack(b'{"a": 1}'))
    monkeypatch.setattr(json, "loads", None)
    assert LOADER.file_loader.load_file(str(tmp_path / "model")) == {"a": 1}


def test_a_model_that_is_missing_is_none(tmp_path: Path) -> None:
    assert LOADER.file_loader.load_file(str(tmp_path / "model")) is None
