"""Text from elsewhere is shown as text: in terminals and logs, in mail, in Slack and by GitHub."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from candlefish.adapters.http.slack_blocks import notification_body
from candlefish.bounds import legible
from candlefish.release.model import Release, ReleaseEntry
from candlefish.service.model import Hold, Version
from candlefish.service.record import acquire, add_hold
from candlefish.signals.notification import Notification
from cli.demo_view import release_view, service_view
from cli.terminal import PlainConsole, echo, failure
from tests.support.service import fresh, image

ROOT = Path(__file__).parents[3]
# Our own world, which nobody else writes in.
OWN = {"lab.py", "simulate.py", "terminal.py"}
NASTY = (
    "fix [/api/v2] routing",
    "[green]canary is healthy[/green][black on black] 5% errors[/]",
    "[link=https://evil.example]candlefish status[/link]",
    "\x1b]0;mine\x07\x1b[2J\x1b[1;1Hall is well\x1b]8;;https://evil\x07click\x1b]8;;\x07",
    "\x9b2J\x9d0;mine\x9c",
    "x\n::error::mine\n::add-mask::x\n##[error]mine",
    "y" * 70 + "::error::mine",
    "well\rbad",
    "\u202egnp.exe",
    ":warning: <!channel> <@U1> <https://evil|click> *b* `c`",
)


def printed(what: RenderableType, *, terminal: bool = True, width: int = 80) -> str:
    out = io.StringIO()
    PlainConsole(file=out, width=width, force_terminal=terminal, color_system="truecolor").print(what)
    return out.getvalue()


def release(reason: str = "r", by: str = "developer", label: str = "1.2.0") -> Release:
    return Release("rel-1", "production", "backend-api", Version(image(2), label), by, reason, 1000.0)


def held(text: str) -> RenderableType:
    record = acquire(
        fresh(), release="x", execution="e", version=Version(image(2), text), in_place=False, now=0, lease=10
    )
    return service_view(add_hold(record, Hold(text, text, 1.0, text)), 0)


VIEWS: dict[str, Callable[[str], RenderableType]] = {
    "a release's timeline": lambda text: release_view(
        release(text, text, text), [ReleaseEntry(1, "judged", text, by=text)]
    ),
    "a service": held,
    "a table": lambda text: _table(text),
    "a text with a style": lambda text: Text(text, style="bold"),
    "a string": lambda text: text,
}


def _table(text: str) -> Table:
    table = Table(title=text)
    table.add_column(text)
    table.add_row(text)
    return table


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_nothing_in_a_text_reaches_the_terminal_as_anything_else(
    view: Callable[[str], RenderableType], text: str
) -> None:
    out = printed(view(text))
    # Colours are Rich's own, and all that may begin with an escape.
    rest = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", rest) is None
    assert "https://evil" not in "".join(re.findall(r"\x1b[^m]*m", out))


@pytest.mark.parametrize("text", ["a [/api/v2] b", "a [green]b", "a [link=https://x]b[/]", "a :warning: b"])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_markup_is_shown_and_not_followed(view: Callable[[str], RenderableType], text: str) -> None:
    out = re.sub(r"\x1b\[[0-9;]*m", "", printed(view(text), width=400))
    assert text in out


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_no_line_of_a_log_is_a_command_to_githubs_runner(
    view: Callable[[str], RenderableType], text: str
) -> None:
    for line in printed(view(text), terminal=False).splitlines():
        assert not line.strip().lower().startswith(("::error", "::add-mask", "##[")), line


def test_what_is_echoed_and_what_ends_a_command_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    for text in NASTY:
        echo(text)
        failure(text).show()
    out, err = capsys.readouterr()
    for said in (out, err):
        assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said) is None
        assert re.search(r"^\s*(::error|::add-mask|##\[)", said, re.M) is None
        assert "fix [/api/v2] routing" in said


def test_arns_and_names_with_colons_stay_as_they_are() -> None:
    for text in ("arn:aws:iam::333333333333:role/x", "std::vector", "a::b", "::1", "12:00\n13:00"):
        assert legible(text) == text


@pytest.mark.parametrize(
    "path", [p for p in sorted(ROOT.glob("cli/*.py")) if p.name not in OWN], ids=lambda p: p.name
)
def test_the_command_prints_through_one_place(path: Path) -> None:
    text = path.read_text()
    for other in ("click.echo(", "click.secho(", "click.ClickException(", "print(", "markup=", "emoji="):
        assert re.search(rf"(?<![\w.]){re.escape(other)}", text) is None, other
    assert re.search(r"(?<!Plain)Console\(", text) is None


@pytest.mark.parametrize("text", NASTY)
def test_a_message_in_slack_has_no_markup_but_our_link(text: str) -> None:
    message = Notification(text, text, facts=((text, text),), link=f"https://x/{text}", command=text)
    sent: dict[str, Any] = notification_body(message)
    assert sent["mrkdwn"] is False
    for block in sent["attachments"][0]["blocks"]:
        inner = block["text"]
        if inner["type"] == "mrkdwn":
            assert re.fullmatch(r"<https://x/[^<>|\s]*\|Look>", inner["text"]) and inner["verbatim"]
        else:
            assert (inner["type"], inner["emoji"]) == ("plain_text", False)
    assert "<!channel>" not in sent["text"] and "\x1b" not in json.dumps(sent, ensure_ascii=False)


@pytest.mark.parametrize("text", NASTY)
def test_a_mail_has_a_line_for_each_thing_that_is_said(text: str) -> None:
    said = Notification("title", text, facts=(("By", text),), link="https://x", command="c").plain()
    assert len(said.splitlines()) == 7
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said) is None
