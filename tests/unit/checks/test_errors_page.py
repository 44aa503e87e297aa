"""What a message means: every error class is on the page, with all that it says, and with advice that a person wrote."""

from __future__ import annotations

import re

import pytest

from candlefish.errors import RecordContested, ServiceBusy
from tools.errors_page import PAGE, classes, messages, page, part, sources

# Fewer words are no advice.
FEW = 6


@pytest.mark.parametrize("name", sorted(classes()))
def test_every_error_has_its_heading_its_messages_and_advice(name: str) -> None:
    text = PAGE.read_text()
    found = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/troubleshooting.md has no heading {name}"
    assert f"<!-- said: {name} -->" in found[1]
    advice = re.sub(r"<!-- said.*?end of said -->", "", found[1], flags=re.DOTALL)
    assert len(advice.split()) >= FEW, f"say below {name} what one does about it"


def test_the_page_names_no_error_that_is_gone() -> None:
    headings = set(re.findall(r"^### (\w+)$", PAGE.read_text(), re.MULTILINE))
    assert headings == classes().keys()


def test_what_is_filled_in_is_left_open() -> None:
    source = 'raise ServiceBusy(f"{name} is held by {who!r}; wait")\nraise errors.Frozen("a  freeze " "is open")\nServiceBusy(why)'
    found = messages(iter([source]), {"ServiceBusy", "Frozen"})
    assert found == {"ServiceBusy": {"… is held by …; wait"}, "Frozen": {"a freeze is open"}}


def test_a_part_says_whether_it_is_tried_again() -> None:
    assert "The machines try again by themselves." in part("RecordContested", RecordContested, set())
    busy = part("ServiceBusy", ServiceBusy, {"say `x`", "b … c"})
    assert "Nothing tries it again by itself." in busy
    assert busy.index("- `b … c`") < busy.index("- `` say `x` ``")


def test_a_part_of_an_error_that_is_gone_is_told() -> None:
    with pytest.raises(ValueError, match="NoSuch, which is no error any more"):
        page("<!-- said: NoSuch -->\nold\n<!-- end of said -->", {})


def test_the_code_says_something_with_the_errors_that_people_meet_most() -> None:
    said = messages(sources(), set(classes()))
    for name in ("ServiceBusy", "NotAllowed", "Frozen", "NothingToRollBack", "Misconfigured"):
        assert said[name], f"no message of {name} was found; does the page still find how they are raised?"
