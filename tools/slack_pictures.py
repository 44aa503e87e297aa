"""Pictures of what stands in Slack: messages as its recorded API has them, drawn as HTML and photographed by Chromium.

    python -m tools.slack_pictures            # docs/images/slack-*.png, from samples of the read model
    python -m tools.slack_pictures --html DIR # the pages alone

Everything is what the product sent: texts, buttons, dates, and the picture of both rates as it was uploaded. How it looks is
near to Slack's own, and no more.
"""

from __future__ import annotations

import argparse
import base64
import html
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from tests.support import views
from tests.support.browser import browser
from tests.support.slack_api import RecordedSlack, Standing
from tests.support.slack_world import SlackWorld, entry
from tools.layers import ROOT

IMAGES = ROOT / "docs/images"
# Whose clock the dates are shown in.
ZONE = ZoneInfo("America/Los_Angeles")
WIDE = 760
STYLE = """
body{margin:0;background:#fff;font:15px/1.46 Lato,"DejaVu Sans",Arial,sans-serif;color:#1d1c1d}
.channel{border-bottom:1px solid #ddd;padding:12px 20px;font-weight:900}
.message{display:flex;padding:10px 20px}.message.reply{margin-left:44px;border-left:2px solid #e8e8e8}
.face{flex:none;width:36px;height:36px;border-radius:6px;background:#1565c0;color:#fff;font-weight:900;text-align:center;
line-height:36px;margin-right:10px}.body{flex:1;min-width:0}
.who{font-weight:900}.app{background:#e8e8e8;color:#616061;font-size:10px;font-weight:700;padding:1px 4px;border-radius:2px;
margin-left:4px}.note{color:#616061;font-size:12px;margin-left:8px}
.section{white-space:pre-wrap;overflow-wrap:anywhere;margin:2px 0 6px}.context{color:#616061;font-size:13px;margin:4px 0}
.attachment{display:flex;margin-top:4px}.bar{flex:none;width:4px;border-radius:4px;margin-right:12px}
.button{display:inline-block;padding:5px 14px;border-radius:5px;font-weight:700;font-size:13px;margin:4px 8px 4px 0;
border:1px solid #bbb}.primary{background:#007a5a;color:#fff;border-color:#007a5a}.danger{background:#e01e5a;color:#fff;
border-color:#e01e5a}.confirm{color:#616061;font-size:12px;margin:2px 0}
img{max-width:100%;border:1px solid #ddd;border-radius:8px;display:block;margin:6px 0}a{color:#1264a3}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--html", type=Path, help="write the pages there and take no photographs")
    folder = parser.parse_args().html
    with tempfile.TemporaryDirectory() as scratch:
        pages = folder or Path(scratch)
        pages.mkdir(parents=True, exist_ok=True)
        made = [pages / f"slack-{name}.html" for name in STORIES]
        for page, story in zip(made, STORIES.values(), strict=True):
            page.write_text(drawn(*story()))
        if not folder:
            photograph(made, IMAGES)
    return 0


Scene = tuple[RecordedSlack, str]


def question() -> Scene:
    """A canary that asks: the message in place, the question in its thread and aloud, the picture."""
    with RecordedSlack() as slack:
        world = SlackWorld(slack)
        world.show(views.release_canary())
        world.show(views.release_question())
        return slack, "platform"


def answered() -> Scene:
    """The same after the answer: no buttons, and who said what."""
    with RecordedSlack() as slack:
        world = SlackWorld(slack)
        world.show(views.release_question())
        after = entry(
            views.release_question(),
            "approved",
            "approved",
            "numbers look well",
            "platform-lead",
            tone="good",
        )
        world.show(replace(after, **views_after()))
        return slack, "platform"


def views_after() -> dict[str, Any]:
    return {
        "status": "running",
        "question": None,
        "says": "50% on 1.1.0 since a moment ago; it is judged again",
        "tone": "info",
        "left": views.release_canary().left[1:],
        "step": 6,
        "steps": views.steps(6),
        "then": "judge, until it is told",
        "command": views.release_canary().command,
    }


def rollback() -> Scene:
    """A rollback, as everybody's channel sees it."""
    with RecordedSlack() as slack:
        world = SlackWorld(slack)
        world.show(views.release_harmed())
        world.show(views.release_rolled_back())
        return slack, "default"


def train() -> Scene:
    """A train: one message, and what its members have to say below it."""
    with RecordedSlack() as slack:
        world = SlackWorld(slack)
        member = views.release_train_member()
        first = replace(
            views.release_promoted(),
            id=f"{member.train}-backend-api",
            train=member.train,
            left=(),
            points=(),
            says="1.1.0 is live for all users",
        )
        world.show(first)
        held = entry(member, "held", "held", "the alarm gateway-latency of gateway fires", tone="warning")
        world.show(held)
        return slack, "platform"


STORIES: dict[str, Callable[[], Scene]] = {
    "question": question,
    "answered": answered,
    "rollback": rollback,
    "train": train,
}


def drawn(slack: RecordedSlack, channel: str) -> str:
    """A channel with its threads opened, as a page."""
    parts = [f'<div class="channel"># {html.escape(channel)}</div>']
    for message in slack.in_channel(channel):
        parts.append(message_html(slack, message))
        thread = slack.in_channel(channel, message.ts)
        parts += [message_html(slack, each) for each in thread]
        parts += [
            picture_html(file)
            for file in slack.files.values()
            if file["thread"] == message.ts and file["shared"]
        ]
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{''.join(parts)}"


def message_html(slack: RecordedSlack, message: Standing) -> str:
    kind = "message reply" if message.thread else "message"
    edited = '<span class="note">(edited)</span>' if message.edits else ""
    aloud = '<span class="note">also sent to the channel</span>' if message.aloud else ""
    inner = "".join(block_html(slack, each) for each in message.body.get("blocks", []))
    for each in message.body.get("attachments", []):
        blocks = "".join(block_html(slack, block) for block in each["blocks"])
        inner += (
            f'<div class="attachment"><div class="bar" style="background:{each["color"]}"></div>'
            f'<div class="body">{blocks}</div></div>'
        )
    return (
        f'<div class="{kind}"><div class="face">C</div><div class="body"><span class="who">Candlefish</span>'
        f'<span class="app">APP</span>{aloud}{edited}{inner}</div></div>'
    )


def block_html(slack: RecordedSlack, block: dict[str, Any]) -> str:
    match block["type"]:
        case "section":
            return f'<div class="section">{text_html(block["text"])}</div>'
        case "context":
            return "".join(f'<div class="context">{text_html(each)}</div>' for each in block["elements"])
        case "image":
            file = slack.files[block["slack_file"]["id"]]
            return f'<img src="{data_of(file["bytes"])}" alt="{html.escape(block["alt_text"], quote=True)}">'
        case "actions":
            return "".join(button_html(each) for each in block["elements"])
    raise ValueError(f"no picture of {block['type']}")


def button_html(button: dict[str, Any]) -> str:
    asks = button.get("confirm")
    confirm = (
        f'<div class="confirm">asks: “{html.escape(asks["title"]["text"])} {html.escape(asks["text"]["text"])}”</div>'
        if asks
        else ""
    )
    label = html.escape(button["text"]["text"])
    return f'<div><span class="button {button.get("style", "")}">{label}</span>{confirm}</div>'


def picture_html(file: dict[str, Any]) -> str:
    return (
        f'<div class="message reply"><div class="face">C</div><div class="body"><span class="who">Candlefish</span>'
        f'<span class="app">APP</span><div class="context">rates.png</div><img src="{data_of(file["bytes"])}" '
        f'alt="{html.escape(file["alt_txt"], quote=True)}"></div></div>'
    )


def data_of(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


DATE = re.compile(r"&lt;!date\^(\d+)\^[^|]*\|[^&]*&gt;")
LINK = re.compile(r"&lt;(https?://[^|&]*)\|([^&]*)&gt;")


def text_html(text: dict[str, Any]) -> str:
    """A text object: plain text as it is, and of markup what we send of it."""
    safe = html.escape(text["text"], quote=False)
    if text["type"] == "plain_text":
        return safe
    safe = DATE.sub(lambda found: clock(float(found.group(1))), safe)
    return LINK.sub(lambda found: f'<a href="{found.group(1)}">{found.group(2)}</a>', safe)


def clock(at: float) -> str:
    local = datetime.fromtimestamp(at, ZONE)
    return f"{local:%b} {local.day} {local:%H:%M}"


def photograph(pages: Sequence[Path], folder: Path) -> None:
    """Each page as a whole, cut at its end."""
    with browser() as chromium:
        for page in pages:
            tab = chromium.new_page(viewport={"width": WIDE, "height": 100})
            tab.goto(page.as_uri())
            tab.screenshot(path=folder / f"{page.stem}.png", full_page=True)
            print(f"docs/images/{page.stem}.png")


if __name__ == "__main__":
    sys.exit(main())
