"""Settings: read when they are asked for, typed, and clear about what is missing."""

from __future__ import annotations

import pytest

from candlefish.errors import Misconfigured
from candlefish.settings import Setting, Settings


class Some(Settings):
    seconds = Setting(float)
    door = Setting(str, optional="")
    speed = Setting(float, optional=1.0)


def test_a_setting_has_the_type_that_it_declares() -> None:
    assert Some({"SECONDS": "1.5"}).seconds == 1.5


@pytest.mark.parametrize("environ", [{}, {"SECONDS": ""}])
def test_a_setting_that_is_missing_is_an_error_only_when_it_is_read(environ: dict[str, str]) -> None:
    some = Some(environ)
    assert some.door == ""
    with pytest.raises(Misconfigured, match=r"SECONDS is not set; set it in template\.yaml"):
        _ = some.seconds


def test_a_setting_that_is_not_of_its_type_is_named_with_its_value() -> None:
    with pytest.raises(Misconfigured, match=r"SECONDS is 'soon' \(.*\); mend it in template.yaml"):
        _ = Some({"SECONDS": "soon"}).seconds


def test_an_optional_setting_may_be_empty() -> None:
    assert Some({"SPEED": ""}).speed == 1.0
    assert Some({"SPEED": "60"}).speed == 60.0


def test_machines_go_by_their_short_names() -> None:
    environ = {"MACHINE_ROLLBACK": "arn:rollback", "MACHINE_WATCH": "arn:watch", "OTHER": "x"}
    assert Some(environ).machines == {"rollback": "arn:rollback", "watch": "arn:watch"}
