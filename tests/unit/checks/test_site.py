"""What the site is made of: links that are led on, lists as GitHub shows them, and what the look at the built pages finds."""

from __future__ import annotations

import pytest

from tools.site_check import read, wrong
from tools.site_hooks import brought_in, decisions, led_on, spaced, with_mermaid

HERE = "https://github.com/example-org/control-plane"


@pytest.mark.parametrize(
    ("text", "page", "repository", "led"),
    [
        ("[a](signals.md#x)", "judge.md", HERE, "[a](signals.md#x)"),
        ("[a](../ci.md)", "decisions/0001-a.md", HERE, "[a](../ci.md)"),
        ("[log](../CHANGELOG.md#1)", "judge.md", "", "[log](changelog.md#1)"),
        ("[log](../../CHANGELOG.md)", "decisions/0001-a.md", "", "[log](../changelog.md)"),
        ("[rules](../tools/x.py)", "judge.md", HERE, f"[rules]({HERE}/blob/main/tools/x.py)"),
        ("see [rules](../tools/x.py).", "judge.md", "", "see rules."),
        ("```\n[rules](../tools/x.py)\n```", "judge.md", "", "```\n[rules](../tools/x.py)\n```"),
        ("[there](https://example.org/../a)", "judge.md", "", "[there](https://example.org/../a)"),
    ],
)
def test_a_link_out_of_docs_goes_where_it_can_be_read(
    text: str, page: str, repository: str, led: str
) -> None:
    assert led_on(text, page, repository, lambda path: path == "tools/x.py") == (led, [])


def test_a_link_to_a_file_that_is_not_there_is_told() -> None:
    assert led_on("[a](../tools/y.py)", "judge.md", HERE, lambda path: False)[1] == ["../tools/y.py"]


def test_a_page_of_the_root_is_read_from_docs() -> None:
    text = "[a](docs/upgrade.md#1) [b](LICENSE) [c](https://example.org) ![d](docs/images/demo.png)"
    assert (
        brought_in(text) == "[a](upgrade.md#1) [b](../LICENSE) [c](https://example.org) ![d](images/demo.png)"
    )


def test_decisions_are_listed_by_number() -> None:
    listed = decisions([("0002-b.md", "# 2. Second\n\ntext"), ("0001-a.md", "# 1. First\n")])
    assert listed.endswith("| 1 | [First](0001-a.md) |\n| 2 | [Second](0002-b.md) |\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("words\n- a\n- b\n", "words\n\n- a\n- b\n"),
        ("words\n| a |\n|---|\n", "words\n\n| a |\n|---|\n"),
        ("- a\n  more\n- b\n", "- a\n  more\n- b\n"),
        ("```\nwords\n- a\n```\n", "```\nwords\n- a\n```\n"),
        ("# Title\n- a\n", "# Title\n- a\n"),
    ],
)
def test_a_list_right_below_a_paragraph_is_a_list(text: str, shown: str) -> None:
    assert spaced(text) == shown


def test_only_pages_with_diagrams_load_what_draws_them() -> None:
    script = '<script src="assets/javascripts/bundle.1.js"></script>'
    assert with_mermaid(script, "assets/mermaid.js") == script
    drawn = with_mermaid(f'<pre class="mermaid"></pre>{script}', "assets/mermaid.js")
    assert drawn.endswith(f'<script src="assets/mermaid.js"></script>{script}')


def test_a_sound_site_has_nothing_wrong() -> None:
    pages = {
        "index.html": read(
            '<a href="a/b.html#end">b</a><a href="https://example.org">out</a><img src="c.png">'
        ),
        "a/b.html": read(
            '<h2 id="end">End</h2><a href="../index.html">up</a><link rel="canonical" href="https://x.org/">'
        ),
    }
    assert wrong(pages, {*pages, "c.png"}) == ([], 1)


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ('<a href="gone.html">x</a>', "index.html links to gone.html, which is not there"),
        ('<a href="#gone">x</a>', "index.html links to #gone: index.html has no such heading"),
        ('<img src="gone.png">', "index.html links to gone.png, which is not there"),
        (
            '<script src="https://unpkg.com/a.js"></script>',
            "index.html fetches https://unpkg.com/a.js: nothing comes from elsewhere",
        ),
        (
            '<link rel="stylesheet" href="//fonts.example.org/a.css">',
            "index.html fetches //fonts.example.org/a.css: nothing comes from elsewhere",
        ),
    ],
)
def test_what_is_not_there_or_comes_from_elsewhere_is_told(html: str, told: str) -> None:
    assert wrong({"index.html": read(html)}, {"index.html"})[0] == [told]
