"""Changes to YAML that people wrote: what is said is changed, their comments and their order stay.

Every change is read back before it is handed out: what it was not about must be as it was, and no comment may be
missing. So a change that ruamel.yaml cannot make without a loss is refused, and the file stays as it is.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from candlefish.errors import InvalidInput

# From the top: keys of mappings, and places in lists.
Where = Sequence[str | int]
# No line of ours is folded.
WIDTH = 4096


def set_at(text: str, where: Where, value: Any, comment: str = "") -> str:
    """The text with `value` at a place; mappings on the way are made. `comment` is put above a new key.

    Raises
    ------
    InvalidInput
        The text is no YAML, something else than a mapping is on the way, or what people wrote would be lost.
    """

    def change(root: Any) -> None:
        parent = _parent(root, where)
        key = where[-1]
        if isinstance(parent, list) and not (isinstance(key, int) and 0 <= key < len(parent)):
            raise InvalidInput(
                f"{_said(where)} is no place of a list of {len(parent)}; append to the list instead"
            )
        fresh = isinstance(parent, dict) and key not in parent
        parent[key] = _ours(value)
        if comment and fresh:
            parent.yaml_set_comment_before_after_key(key, before=comment, indent=parent.lc.col or 0)

    return _changed(text, where, change, lambda data: _plainly_set(data, where, value))


def append_at(text: str, where: Where, value: Any, comment: str = "") -> str:
    """The text with `value` as the last of the list at a place; the list is made where there is none.

    A value that is in the list already is not put there twice.

    Raises
    ------
    InvalidInput
        The text is no YAML, what is there is no list, or what people wrote would be lost.
    """
    found = look_at(text, where)
    if found is not None and not isinstance(found, list):
        raise InvalidInput(f"{_said(where)} is no list; write one there, or say another place")
    if not found:
        return set_at(text, where, [value], comment)
    if value in found:
        return text

    def change(root: Any) -> None:
        held = _parent(root, [*where, 0])
        held.append(_ours(value))
        if comment:
            held.yaml_set_comment_before_after_key(len(held) - 1, before=comment, indent=held.lc.col)

    return _changed(text, where, change, lambda data: _plainly_set(data, where, [*found, value]))


def append_text(text: str, entry: str, key: str) -> str:
    """The text of a mapping with an entry, written out with its own comments, at its end after a blank line.

    Raises
    ------
    InvalidInput
        The two are no mappings, or the mapping has the key already.
    """
    data, added = _plain(text), _plain(entry)
    if not isinstance(data, dict) or not isinstance(added, dict) or key in data or list(added) != [key]:
        raise InvalidInput(f"{key} cannot be added: it is there already, or the file is no mapping")
    # An empty mapping that is written out takes no entry after it.
    result = f"{text.rstrip()}\n\n{entry}" if text.strip() else entry
    if _plain(result) != {**data, **added}:
        raise InvalidInput(
            f"{key} cannot be added at the end of the file; add it by hand, nothing was written"
        )
    return result


def look_at(text: str, where: Where) -> Any:
    """What stands at a place; None where nothing does.

    Raises
    ------
    InvalidInput
        The text is no YAML.
    """
    here = _plain(text)
    for key in where:
        try:
            here = here[key]
        except (KeyError, IndexError, TypeError):
            return None
    return here


def edit(file: Path, change: Callable[[str], str]) -> bool:
    """Change a file by one of the functions above, whole or not at all; whether it is another now."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    after = change(before)
    if after == before:
        return False
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(after, encoding="utf-8")
    beside.replace(file)
    return True


def _changed(text: str, where: Where, change: Callable[[Any], None], expect: Callable[[Any], Any]) -> str:
    """The text after a change, when it says what it shall and has all comments that it had."""
    if not where:
        raise InvalidInput("say which place of the file shall be changed")
    # Whoever only reads the catalog does not pay for this.
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.util import load_yaml_guess_indent

    data = _plain(text)
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = WIDTH
    try:
        _, _, offset = load_yaml_guess_indent(text)
        offset = 2 if offset is None else offset
        editor.indent(mapping=2, sequence=offset + 2, offset=offset)
        root = editor.load(text)
        if root is None:
            # A file of comments alone keeps them.
            root = CommentedMap()
            head = text if not text or text.endswith("\n") else f"{text}\n"
        else:
            head = ""
        change(root)
        out = io.StringIO()
        editor.dump(root, out)
    except YAMLError as error:
        raise InvalidInput(
            f"this is not YAML that can be changed: {' '.join(str(error).split())[:300]}"
        ) from error
    result = head + out.getvalue()
    if lost := _lost(text, result):
        raise InvalidInput(
            f"changing {_said(where)} would lose a comment ({lost}); change the file by hand, nothing was written"
        )
    if _plain(result) != expect(data):
        raise InvalidInput(
            f"changing {_said(where)} would change more than that (an alias, or a tag, is involved); change the file "
            "by hand, nothing was written"
        )
    return result


def _lost(before: str, after: str) -> str:
    """The first comment that is missing afterwards."""
    left = _comments(after)
    for comment in _comments(before):
        if comment not in left:
            return comment
        left.remove(comment)
    return ""


def _comments(text: str) -> list[str]:
    """The comments of a text, as YAML tells them from what only looks like one."""
    covered = [False] * (len(text) + 1)
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken):
            for at in range(token.start_mark.index, token.end_mark.index):
                covered[at] = True
    found, at = [], 0
    for line in text.splitlines(keepends=True):
        for offset, sign in enumerate(line):
            if sign == "#" and not covered[at + offset] and (offset == 0 or line[offset - 1].isspace()):
                found.append(line[offset:].strip())
                break
        at += len(line)
    return found


def _plain(text: str) -> Any:
    """What the text says, as the catalog's loader reads it."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"this is not YAML: {' '.join(str(error).split())[:300]}") from error
    return {} if found is None else found


def _parent(root: Any, where: Where) -> Any:
    """What holds the last step of a place; mappings that are missing are made."""
    here = root
    for done, key in enumerate(where[:-1]):
        if isinstance(here, dict):
            if here.get(key) is None:
                here[key] = _ours({})
            here = here[key]
        elif isinstance(here, list) and isinstance(key, int) and 0 <= key < len(here):
            here = here[key]
        else:
            raise InvalidInput(f"{_said(where[: done + 1])} is nothing that has parts; say another place")
    if not isinstance(here, (dict, list)):
        raise InvalidInput(f"{_said(where[:-1])} is nothing that has parts; say another place")
    return here


def _plainly_set(data: Any, where: Where, value: Any) -> Any:
    """The same change to plain values; `_parent` has been down this way."""
    key, rest = where[0], where[1:]
    if isinstance(data, list):
        assert isinstance(key, int)
        inner = _plainly_set(data[key], rest, value) if rest else value
        return [*data[:key], inner, *data[key + 1 :]]
    inner = _plainly_set({} if data.get(key) is None else data[key], rest, value) if rest else value
    return {**data, key: inner}


def _ours(value: Any) -> Any:
    """A value as ruamel.yaml keeps it; text that another YAML would take for something else is quoted."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, Mapping):
        return CommentedMap((key, _ours(each)) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return CommentedSeq(_ours(each) for each in value)
    if isinstance(value, str) and _read_otherwise(value):
        return DoubleQuotedScalarString(value)
    return value


def _read_otherwise(text: str) -> bool:
    """Whether a plain scalar of these letters is read as something else: a number, a truth value, a date."""
    try:
        return bool(yaml.safe_load(text) != text)
    except (yaml.YAMLError, ValueError):
        return True


def _said(where: Where) -> str:
    return ".".join(str(each) for each in where)
