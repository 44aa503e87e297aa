"""A captured terminal as an SVG: the text itself, a monospaced font that every machine has, nothing from elsewhere."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

from rich.cells import get_character_cell_size
from rich.style import Style
from rich.text import Text

# Blanks are collapsed by whoever draws: more than one are a distance.
WORDS = re.compile(r"\S+(?: \S+)*")
CELL, LINE, MARGIN, BAR = 8.4, 18, 14, 30
GROUND, INK, DIM, FRAME = "#16191f", "#d7dae0", "#8b93a1", "#2b303b"
# Of a terminal's eight colours, by their numbers, those that the screens use.
COLOURS = {1: "#ff7b72", 2: "#7ec699", 3: "#e3b866", 5: "#c8a2e8", 6: "#79c0d9"}


def svg_of(captured: str, columns: int, lines: int, title: str) -> str:
    """An SVG of what `tmux capture-pane -e` captured. Pure."""
    width, height = columns * CELL + 2 * MARGIN, BAR + lines * LINE + 2 * MARGIN
    # Attributes go on from line to line until they are taken back.
    whole = Text.from_ansi(captured).split("\n", allow_blank=True)
    rows = "".join(_row(text, number) for number, text in enumerate(whole[:lines]))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>\n'
        f'<path d="M0 {BAR}h{width:.0f}" stroke="{FRAME}"/>\n'
        f'<text x="{MARGIN}" y="20" fill="{DIM}" font-family="system-ui, sans-serif" font-size="12">{escape(title)}</text>\n'
        f'<g font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" fill="{INK}">\n{rows}</g>\n</svg>\n'
    )


def _row(text: Text, number: int) -> str:
    y = BAR + MARGIN + (number + 0.75) * LINE
    out, column = [], 0
    for style, run in groupby(_characters(text), key=lambda pair: pair[1]):
        signs = "".join(sign for sign, _ in run)
        for words in WORDS.finditer(signs):
            # Words stand where their cells are and are as wide as these, whatever font there is.
            x = MARGIN + (column + _cells(signs[: words.start()])) * CELL
            out.append(
                f'<text x="{x:.1f}" y="{y:.1f}" textLength="{_cells(words[0]) * CELL:.1f}" '
                f'lengthAdjust="spacingAndGlyphs"{_attributes(style)}>{escape(words[0])}</text>'
            )
        column += _cells(signs)
    return "".join(out) + ("\n" if out else "")


def _cells(text: str) -> int:
    return sum(get_character_cell_size(sign) for sign in text)


def _characters(text: Text) -> list[tuple[str, Style]]:
    styles = [Style() for _ in text.plain]
    for span in text.spans:
        for at in range(span.start, min(span.end, len(styles))):
            styles[at] += span.style if isinstance(span.style, Style) else Style.parse(span.style)
    return list(zip(text.plain, styles, strict=True))


def _attributes(style: Style) -> str:
    number = style.color.number if style.color else None
    fill = COLOURS.get(number % 8 if number is not None else -1, DIM if style.dim else "")
    return (f' fill="{fill}"' if fill else "") + (' font-weight="bold"' if style.bold else "")
