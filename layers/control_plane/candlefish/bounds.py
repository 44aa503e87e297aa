"""What may come in: how long, of which characters, how deep, how large. Here, once, for everything from outside.

Two ways to deal with what does not fit. What somebody asks for is refused, with the field and what is allowed:
the scalars below are the types of its fields, `require_sound` looks at the document as a whole. What is only said
(why a rollback, what failed) is never refused: `fit` makes it fit to be kept and shown.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from candlefish.errors import InvalidInput

# How deep a document may nest, and how large it may be: characters of its texts, and one for each value. A function
# takes at most 6 MB from outside.
DEEPEST = 40
LARGEST = 8_000_000
# Whole numbers of 64 bits are what tables, clusters and JSON readers agree about.
LARGEST_INTEGER = 2**63 - 1

# What no terminal, table or person should be given: control characters but tab and the ends of lines, characters that
# turn the direction of what follows, halves of surrogate pairs, and what Unicode will never name.
UNSAYABLE = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff"
)
_UNSAYABLE = re.compile(f"[{UNSAYABLE}]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# What GitHub's runner takes for a command at the start of a line.
_COMMAND = re.compile(
    "::(?=error|warning|notice|debug|group|endgroup|echo|add-|remove-|set-|save-|stop-)", re.IGNORECASE
)
REPLACEMENT = "\ufffd"
ELLIPSIS = "\u2026"

# What is kept of words, in characters: why something is done, who does it, and a note of which there are several.
LONGEST_REASON = 1000
LONGEST_BY = 200
LONGEST_NOTE = 200

# What a reader of JSON raises of a text that is none, is not UTF-8, or nests without end.
NO_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# --- scalars. Each pattern is linear, and has words for whoever does not meet it.

_WORDS: dict[str, str] = {}


def _pattern(pattern: str, words: str) -> str:
    whole = rf"^(?:{pattern})\Z"
    _WORDS[whole] = words
    return whole


def _text(pattern: str, words: str, longest: int) -> Any:
    return msgspec.Meta(pattern=_pattern(pattern, words), max_length=longest)


SAYABLE = "without control characters"
NAME = "[a-z](?:[a-z0-9-]*[a-z0-9])?"
# A service, an environment, and what else the catalog names; `MaybeName` may be left empty.
Name = Annotated[str, _text(NAME, "that is a name like api-gateway", 40)]
MaybeName = Annotated[str, _text(f"(?:{NAME})?", "that is empty or a name like api-gateway", 40)]
# Names of executions, and of all that is called after one: they are parts of keys of the table and of other names.
Id = Annotated[str, _text("[A-Za-z0-9._=@+-]+", "of letters, digits and . _ = @ + -", 80)]
MaybeId = Annotated[str, _text("[A-Za-z0-9._=@+-]*", "of letters, digits and . _ = @ + -", 80)]
# What a failover is of, and alike: `database/main`.
Subject = Annotated[str, _text("[A-Za-z0-9._/-]+", "like database/main", 128)]
Word = Annotated[str, _text(r"[^\s" + UNSAYABLE + "]*", "that is one word", 200)]
Address = Annotated[str, _text(r"[^\s" + UNSAYABLE + "]*", "that is an address", 1024)]
# A signed token of three parts; longer than any that GitHub makes.
Token = Annotated[str, _text(r"[A-Za-z0-9_.-]*", "that is a token of GitHub's", 16384)]
Title = Annotated[str, _text(f"[^\\n\\r{UNSAYABLE}]*", f"in one line, {SAYABLE}", LONGEST_BY)]
Sentence = Annotated[str, _text(f"[^{UNSAYABLE}]*", SAYABLE, LONGEST_REASON)]
# How long anything may be asked to take or to be kept, in seconds: no execution of ours lives longer.
LONGEST_TIME = 30 * 86400.0
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST_TIME)]
# Epoch seconds, until the year 2100.
LAST_MOMENT = 4102444800.0
Moment = Annotated[float, msgspec.Meta(ge=0, le=LAST_MOMENT)]
# Epoch milliseconds as text, as SQS says them.
Milliseconds = Annotated[str, _text("[0-9]+", "of digits", 15)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Counter = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


def explained(error: Exception) -> str:
    """What msgspec says of a value, with words in place of patterns."""
    text = str(error)
    for pattern, words in _WORDS.items():
        text = text.replace(f"matching regex {pattern!r}", words)
    return fit(text, 500)


# --- documents


def sound(document: Any, largest: int = LARGEST) -> Any:
    """A document that is neither too deep nor too large, with what is no text in its texts replaced.

    Returns the document itself where there is nothing to replace.

    Raises
    ------
    InvalidInput
        It is too deep or too large, has a number that is none (NaN, Infinity) or needs more than 64 bits, or a key
        that is no text; the message names where.
    """
    size, halves = 0, False
    # Not by recursion: how deep it goes is what is to be found out.
    pending: list[tuple[Any, tuple[str | int, ...]]] = [(document, ())]
    while pending:
        value, path = pending.pop()
        size += 1
        match value:
            case str():
                size += len(value)
                halves = halves or _has_halves(value)
            case bool() | None:
                pass
            case int():
                if abs(value) > LARGEST_INTEGER:
                    raise InvalidInput(f"{written_path(path)} is a number of more than 64 bits")
            case float():
                if not math.isfinite(value):
                    raise InvalidInput(f"{written_path(path)} is {value}; write a number")
            case dict() | list() | tuple():
                if len(path) >= DEEPEST:
                    raise InvalidInput(f"{written_path(path[:3])} nests deeper than {DEEPEST} levels")
                for key, child in _children(value):
                    if isinstance(key, str):
                        size += len(key)
                        halves = halves or _has_halves(key)
                    pending.append((child, (*path, key)))
            case _:
                pass
        if size > largest:
            raise InvalidInput(f"the document is larger than {largest:,} characters")
    return _without_halves(document) if halves else document


def written_path(path: tuple[str | int, ...]) -> str:
    """A path as msgspec writes it: `$.releases[0].image`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{fit(str(part), 40)}" for part in path)
    return "$" + "".join(parts)


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            if not isinstance(key, str):
                raise InvalidInput(f"a key is {type(key).__name__}, not text")
            yield key, child
    else:
        yield from enumerate(value)


def _has_halves(text: str) -> bool:
    return not text.isascii() and _SURROGATES.search(text) is not None


def _without_halves(value: Any) -> Any:
    """By recursion, which is bounded by now."""
    if isinstance(value, str):
        return _SURROGATES.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_halves(child) for child in value]
    return value


def decoded(body: str | bytes, what: str) -> Any:
    """A JSON document as it is, if it is sound. `what` names it for people.

    Raises
    ------
    InvalidInput
        It is no JSON, or not sound.
    """
    if len(body) > LARGEST:
        raise InvalidInput(f"{what} is larger than {LARGEST:,} characters")
    try:
        return sound(msgspec.json.decode(body))
    except RecursionError as error:
        raise InvalidInput(f"{what} nests deeper than {DEEPEST} levels") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidInput(f"{what} is no JSON: {fit(str(error), 200)}") from error


# --- words


def fit(text: str, longest: int) -> str:
    """A text made fit to be kept and shown: cut where it is too long, what is unsayable replaced."""
    if len(text) > longest:
        text = text[: longest - 1] + ELLIPSIS
    return _UNSAYABLE.sub(REPLACEMENT, text)


def legible(text: str) -> str:
    """A text of any length as terminals and logs show it: as text.

    Nothing in it moves a cursor, or is a command to GitHub's runner, wherever its lines are broken.
    """
    plain = _UNSAYABLE.sub(REPLACEMENT, text.replace("\r\n", "\n")).replace("\r", REPLACEMENT)
    return _COMMAND.sub(": :", plain).replace("##[", "## [")


def fit_line(text: str, longest: int) -> str:
    """`fit` in one line: all white space, ends of lines too, becomes a blank."""
    return fit(" ".join(_UNSAYABLE.sub(REPLACEMENT, text[: longest * 4]).split()), longest)


def fit_id(text: str) -> str:
    """An `Id` of a text that may be none: what differed still differs, and the same text has the same id."""
    if _ID.fullmatch(text):
        return text
    kept = _NO_ID.sub("-", text[:60])
    return f"{kept}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:12]}"


def message_of(cause: str) -> str:
    """The message inside a Lambda failure's cause, which Step Functions hands on as JSON."""
    try:
        return msgspec.json.decode(cause, type=_Failure).message or cause
    # Whatever else a cause may be, it is said as it is.
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return cause


class _Failure(msgspec.Struct, rename={"message": "errorMessage"}):
    message: str = ""


_ID = re.compile("[A-Za-z0-9._=@+-]{0,80}")
_NO_ID = re.compile("[^A-Za-z0-9._=@+-]")
