r"""Request items, as HTTPie has them: what a request is made of, one word for each part.

    Name:value      a header; `Name:` takes one away, `Name;` sends an empty one
    name==value     a parameter of the query
    name=value      a field: of a JSON object, or of a form with --form
    name:=json      a field whose value is JSON
    name@file       a file to upload; `name@file;type=text/csv` says its type
    name=@file      a field whose value is the text of a file
    name:=@file     a field whose value is the JSON of a file

The separator that comes first counts; one with a backslash before it is part of the name.
"""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ..headers import Headers
from .failures import CommandError, Exit, file_error

# Where several begin at the same place, the longest one is meant.
SEPARATORS: Final = (":=@", ":=", "=@", "==", ":", "=", "@")
_ESCAPABLE: Final = frozenset(":=@;\\")
# What a file is whose name does not tell (RFC 9110, section 8.3).
UNKNOWN_TYPE: Final = "application/octet-stream"


class Item(NamedTuple):
    """One word of the command line, taken apart.

    Attributes:
        name: what stands before the separator, without its backslashes.
        separator: one of `SEPARATORS`, or ";" for an empty header.
        value: what stands behind it, as it is.
    """

    name: str
    separator: str
    value: str


class Upload(NamedTuple):
    """A file to upload.

    Attributes:
        name: the name of the field.
        path: the file.
        content_type: its type.
    """

    name: str
    path: str
    content_type: str


@dataclass
class Items:
    """What the items of a request come to.

    Attributes:
        headers: the header fields, None for one that is taken away.
        params: the query.
        fields: the fields of a form or of a JSON object, in order.
        has_json: whether one of them is more than text, and can't be sent in a form.
        not_text: the name of a field that has bytes which are no text, or None.
        uploads: the files.
    """

    headers: Headers = field(default_factory=Headers)
    params: list[tuple[str | bytes, str | bytes]] = field(default_factory=list)
    fields: list[tuple[str, Any]] = field(default_factory=list)
    has_json: bool = False
    not_text: str | None = None
    uploads: list[Upload] = field(default_factory=list)


def split(text: str) -> Item:
    """Take one item apart.

    Raises:
        CommandError: there is no separator in it, or nothing before it.
    """
    name = ""
    position = 0
    while position < len(text):
        if text[position] == "\\" and text[position + 1 : position + 2] in _ESCAPABLE:
            name += text[position + 1 : position + 2]
            position += 2
            continue
        separator = _separator_at(text, position)
        if separator is not None:
            return _named(Item(name, separator, text[position + len(separator) :]), text)
        name += text[position]
        position += 1
    if name.endswith(";"):
        return _named(Item(name[:-1], ";", ""), text)
    raise CommandError(
        f"the item {text!r} has no separator: write Name:value (header), name==value (query), name=value, "
        f"name:=json or name@file"
    )


def _separator_at(text: str, position: int) -> str | None:
    return next((each for each in SEPARATORS if text.startswith(each, position)), None)


def _named(item: Item, text: str) -> Item:
    if not item.name:
        raise CommandError(f"the item {text!r} has nothing before its {item.separator!r}")
    return item


def is_item(text: str) -> bool:
    """Whether a word is an item, and not a URL: it has a separator that no URL has where it stands."""
    if "://" in text or text.startswith((":", "/", "[")):
        return False
    try:
        item = split(text)
    except CommandError:
        return False
    # example.com:8080/path is a URL, and so is localhost:8080.
    return not (item.separator == ":" and item.value.partition("/")[0].isdecimal())


def gather(texts: Iterable[str]) -> Items:
    """Sort items by what they are, and read the files that they name.

    Raises:
        CommandError: one is no item, or a file can't be read, or is not what it should be.
    """
    items = Items()
    for text in texts:
        if text.startswith(("http://", "https://")):  # it would be a header of the name http
            raise CommandError(f"{text!r} is a second URL: give one, and a method ahead of it in capitals")
        _add(items, split(text))
    return items


def _add(items: Items, item: Item) -> None:
    name, separator, value = item
    if separator in (":", ";"):
        _add_header(items.headers, item)
    elif separator == "==":
        items.params.append((as_typed(name), as_typed(value)))
    elif separator == "@":
        items.uploads.append(_upload(name, value))
    else:
        _add_field(items, item)


def _add_field(items: Items, item: Item) -> None:
    name, separator, value = item
    typed = name if separator.endswith("@") else name + value
    if isinstance(as_typed(typed), bytes):
        items.not_text = name
    if separator in ("=", "=@"):
        items.fields.append((name, value if separator == "=" else _text_of(value)))
    else:
        items.has_json = True
        items.fields.append((name, _json(name, value if separator == ":=" else _text_of(value))))


def _add_header(headers: Headers, item: Item) -> None:
    """Add a header field; one that is taken away takes those before it along."""
    text = item.value.strip(" \t")
    if not text and item.separator != ";":
        headers[item.name] = None
        return
    value = text if text.isascii() else os.fsencode(text)
    if headers.get(item.name, "") is None:
        headers[item.name] = value
    else:
        headers.add(item.name, value)


def add_header_lines(headers: Headers, lines: Iterable[str]) -> None:
    """Add headers as curl has them: `Name: value`, `Name:` to take one away, or `Name;` for an empty one.

    Args:
        headers: what they are added to.
        lines: the headers.

    Raises:
        CommandError: one is none of these.
    """
    for text in lines:
        _add_header(headers, _header_line(text))


def _header_line(text: str) -> Item:
    name, colon, value = text.partition(":")
    if not colon and name.endswith(";"):
        return Item(name[:-1], ";", "")
    if not colon or not name:
        raise CommandError(f"the header {text!r} has no name: write 'Name: value'")
    return Item(name, ":", value)


def as_typed(text: str) -> str | bytes:
    """Text; or the bytes that were typed, where they are no text in this system's encoding."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def _upload(name: str, value: str) -> Upload:
    path, marked, content_type = value.partition(";type=")
    return Upload(name, path, content_type if marked else guessed_type(path))


def guessed_type(path: str) -> str:
    """The type of a file by its name."""
    return mimetypes.guess_type(path)[0] or UNKNOWN_TYPE


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CommandError(
            f"the value of {name!r} is no JSON: {error}: text is written {name}=text"
        ) from None


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"JSON has no {text}")  # RFC 8259, section 6


def _text_of(path: str) -> str:
    content = read_file(path)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise CommandError(
            f"{path!r} is no text in UTF-8: name@{path} uploads it as it is", Exit.READ_FAILED
        ) from None


def read_file(path: str) -> bytes:
    """The content of a file that the user named.

    Raises:
        CommandError: it can't be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise unreadable(error, path) from None


def unreadable(error: OSError | ValueError, path: str) -> CommandError:
    """The error for a file that can't be read; a ValueError is a path that no file can have."""
    if isinstance(error, OSError):
        return file_error(error, "read", path, Exit.READ_FAILED)
    return CommandError(f"can't read {path!r}: {error}", Exit.READ_FAILED)
