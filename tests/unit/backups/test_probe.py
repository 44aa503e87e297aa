"""What the probe answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.backups.model import ProbeRequest, ProbeTarget
from candlefish.backups.probe_database import probe_database
from candlefish.errors import InvalidInput
from tests.support.backups import FakeSql
from tests.support.failover.catalog import ENVIRONMENT


def ask_probe(recording: FakeSql, **question: Any) -> Any:
    return probe_database(
        msgspec.convert(question, ProbeRequest),
        environment=ENVIRONMENT,
        connect=recording.connect,
    )


def test_an_inspection_reads_the_sentinel_and_every_table() -> None:
    recording = FakeSql()
    found = ask_probe(recording, do="inspect", database="main", host="scratch", secret="arn:secret")
    assert found == {"beat_at": 1000.5, "beats": 7, "tables": 2, "rows": 42}
    assert recording.targets == [ProbeTarget("app/database", "scratch", "arn:secret")]


def test_an_epoch_is_written_at_the_host_it_is_asked_of() -> None:
    recording = FakeSql()
    found = ask_probe(recording, do="begin-epoch", database="main", host="new-primary", epoch=5)
    assert found == {"epoch": 5, "written_at": 1001.5, "last_beat": None}
    assert recording.targets[0].host == "new-primary"


def test_a_heartbeat_that_is_missed_is_said() -> None:
    assert ask_probe(FakeSql(fails=True), do="beat") == {"main": {"missed": "the database does not answer"}}


def test_the_probe_knows_the_catalogs_databases_only() -> None:
    with pytest.raises(InvalidInput, match="has no database 'other' with a secret"):
        ask_probe(FakeSql(), do="inspect", database="other")
