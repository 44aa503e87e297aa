"""Whether a regular expression may take very long on some text: alerts carry what others write.

Python's matcher tries again from every place that it might have divided a text otherwise. What divides once, twice or
three times is quick on a label of 512 characters; a repetition of what repeats, or of alternatives, is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# Repetitions of more than this are taken for endless, and a pattern may have so many of those.
FEW = 9
MOST_REPETITIONS = 3
_parser: Any = getattr(re, "_parser")  # noqa: B009 - it has no public name, and its syntax tree is what we need


def why_slow(pattern: str) -> str:
    """What makes a pattern slow on some text, as the end of a sentence; empty for one that is quick on any.

    The pattern must be one that `re.compile` takes.
    """
    endless = [each for operator, each in _nodes(_parser.parse(pattern)) if _is_endless(operator, each)]
    if any(_divides(body) for _, _, body in endless):
        return "repeats what repeats or has alternatives"
    # What is repeated an exact number of times ends in one place.
    open_ended = sum(least != most for least, most, _ in endless)
    if open_ended > MOST_REPETITIONS:
        return f"has {open_ended} repetitions without end, at most {MOST_REPETITIONS} are quick"
    return ""


def _divides(body: Any) -> bool:
    """Whether what is repeated can itself end in more than one place."""
    return any(
        _is_endless(operator, argument) or operator is _parser.BRANCH for operator, argument in _nodes(body)
    )


def _is_endless(operator: Any, argument: Any) -> bool:
    return operator in (_parser.MAX_REPEAT, _parser.MIN_REPEAT) and argument[1] > FEW


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every node of a pattern's syntax tree, those of groups, alternatives and repetitions too."""
    if isinstance(tree, _parser.SubPattern):
        for operator, argument in tree:
            yield operator, argument
            yield from _nodes(argument)
    elif isinstance(tree, (tuple, list)):
        for part in tree:
            yield from _nodes(part)
