"""How a preview looks: as text for a terminal, as Markdown for a comment. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from candlefish.catalog.model import Duration
from candlefish.release.object_diff import ObjectDifference
from candlefish.release.preview import Preview, PreviewStep

MARKS = {"created": "+", "changed": "~", "left behind": "?"}
# As many digits of a configuration's digest as people read.
DIGITS = 12


def in_text(preview: Preview) -> str:
    """For a terminal or a log."""
    return "\n".join(_text(preview))


def _text(preview: Preview) -> Iterator[str]:
    yield headline(preview)
    yield from _section("Refused, if it were asked for now", [f"- {each}" for each in preview.refusals])
    yield from _section("Configuration", preview.changes)
    for each in preview.objects:
        yield from _section(_title(each), each.diff)
    if preview.differs:
        yield from _section(
            _steps_title(preview), [_step(n, each) for n, each in enumerate(preview.steps, 1)]
        )
    yield from _section("Notes", [f"- {each}" for each in preview.notes])


def _section(title: str, lines: tuple[str, ...] | list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield f"{title}:"
        yield from (f"  {line}" for line in lines)


def in_markdown(preview: Preview) -> str:
    """For a comment; each object's difference can be folded."""
    return "\n".join(_markdown(preview))


def _markdown(preview: Preview) -> Iterator[str]:
    yield f"**{_escaped(headline(preview))}**"
    if preview.refusals:
        yield "\n**Refused, if it were asked for now**\n"
        yield from (f"- {_escaped(each)}" for each in preview.refusals)
    if preview.changes:
        yield "\n**Configuration**\n"
        yield from (f"- {_escaped(each)}" for each in preview.changes)
    for each in preview.objects:
        yield f"\n<details><summary>{_escaped(_title(each))}</summary>\n"
        yield from ("````diff", *(line.replace("````", "```") for line in each.diff), "````")
        yield "\n</details>"
    if preview.differs:
        yield f"\n**{_steps_title(preview)}**\n"
        yield from (_escaped(_step(n, each)) for n, each in enumerate(preview.steps, 1))
    if preview.notes:
        yield "\n**Notes**\n"
        yield from (f"- {_escaped(each)}" for each in preview.notes)


def _escaped(text: str) -> str:
    """Text that Markdown and HTML leave as it is; nobody is mentioned."""
    for sign in "\\`*_[]<>|#@":
        text = text.replace(sign, f"\\{sign}" if sign not in "<>@" else f"&#{ord(sign)};")
    return " ".join(text.split())


def headline(preview: Preview) -> str:
    """What it would do, in a line."""
    where = f"{preview.service} in {preview.environment}"
    if not preview.differs:
        return f"{where}: nothing to do, {preview.version} runs as it is asked for"
    known = preview.configuration[:DIGITS]
    if preview.image == preview.replaces_image:
        before = preview.replaces_configuration[:DIGITS] or "one that nobody wrote down"
        return f"{where}: {preview.version} would get configuration {known} in place of {before}"
    return f"{where}: {preview.version} with configuration {known} would take over from {preview.replaces or 'nothing'}"


def _title(difference: ObjectDifference) -> str:
    return f"{MARKS[difference.change]} {difference.kind} {difference.name} ({difference.change})"


def _steps_title(preview: Preview) -> str:
    slot = f" in slot {preview.slot}" if preview.slot else ""
    back = (
        f", then {Duration(preview.window)} in which it can be taken back at once" if preview.window else ""
    )
    return f"Steps ({preview.strategy}{slot}), at most {Duration(preview.longest)} together{back}"


def _step(number: int, step: PreviewStep) -> str:
    return f"{number}. {step.words}" + (f" (at most {Duration(step.within)})" if step.within else "")
