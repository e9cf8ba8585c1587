"""Header fields: the case-insensitive multi-map, and what may be sent (RFC 9110, section 5).

`Headers` behaves as requests' `CaseInsensitiveDict` does, and beyond that keeps fields that came more than
once apart: `headers["Set-Cookie"]` joins them by a comma as requests does, `headers.get_list("Set-Cookie")`
gives each (a cookie may hold a comma, so the joined form can't be taken apart again).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final, TypeAlias

from .exceptions import InvalidHeader

HeaderTypes: TypeAlias = "Mapping[Any, Any] | Iterable[tuple[Any, Any]]"
# A field as `Headers` keeps it: its name as given, and every value in order.
Field: TypeAlias = "tuple[str, tuple[Any, ...]]"

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_NOT_SHOWN: Final = "(not shown)"  # most fields that are wrong are so by a line end behind a secret
_VALUE = re.compile(
    r"[\t\x20-\x7e\x80-\xff]*"
)  # RFC 9110, section 5.5: no CR, LF, NUL (law X7), nor their kin


_NO_DEFAULT: Final = object()  # None is one


class Headers(MutableMapping[str, Any]):
    """A mapping of header fields that ignores the case of names, and remembers the case that was given.

    Args:
        data: a mapping, or pairs of name and value. A name that comes twice keeps the last value, as in a
            dict; `add()` is what keeps both.
        **kwargs: further fields.
    """

    __slots__ = ("_fields",)

    def __init__(self, data: HeaderTypes | None = None, **kwargs: Any) -> None:
        self._fields: dict[str, Field] = {}  # by the name in lower case
        if type(data) is dict:  # as mostly; update() asks twice what kind of mapping it is
            for name, value in data.items():
                self[name] = value
        elif data is not None:
            self.update(data)
        if kwargs:
            self.update(kwargs)

    @classmethod
    def from_wire(cls, items: Iterable[tuple[bytes, bytes]]) -> Headers:
        """The fields of a received head, each line kept; bytes outside ASCII read as latin-1.

        Args:
            items: names and values, in order.
        """
        headers = cls()
        fields = headers._fields
        repeated: dict[str, list[str]] = {}  # a tuple that grew would take the square of a server's patience
        for raw_name, raw_value in items:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            key = name.lower()
            if key not in fields:
                fields[key] = (name, (value,))
            elif key in repeated:
                repeated[key].append(value)
            else:
                repeated[key] = [*fields[key][1], value]
        for key, values in repeated.items():
            fields[key] = (fields[key][0], tuple(values))
        return headers

    @classmethod
    def of(cls, value: Any) -> Headers:
        """Any mapping as Headers; one of several values for a name, as urllib3 has it, keeps them apart.

        Args:
            value: the mapping, or pairs.

        Raises:
            InvalidHeader: it is neither, or a name is no text.
        """
        if isinstance(value, Headers):
            return value
        if not hasattr(value, "getlist"):
            try:
                return cls(value)
            except (TypeError, ValueError, AttributeError):
                raise _unreadable(value) from None
        headers = cls()
        for name in value:
            for each in value.getlist(name):
                headers.add(name, each)
        return headers

    def add(self, name: str | bytes, value: str | bytes) -> None:
        """Add a field, and keep those of the same name that are there.

        Args:
            name: its name.
            value: its value.
        """
        if isinstance(name, bytes):  # as where one is set: it has to be found under its text too
            name = name.decode("latin-1")
        known = self._fields.get(name.lower())
        self._fields[name.lower()] = (name, (value,)) if known is None else (known[0], (*known[1], value))

    def get_list(self, name: str) -> list[Any]:
        """Every value of a name, in the order in which they came; empty where there is none.

        Args:
            name: the name, in any case.
        """
        known = self._fields.get(name.lower())
        return [] if known is None else list(known[1])

    getlist = get_list  # urllib3's name, by which programs read the Set-Cookie fields of `raw.headers`

    def lines(self) -> Iterator[tuple[str, Any]]:
        """Every field as a pair of name and value, one pair for each line."""
        for name, values in self._fields.values():
            for value in values:
                yield name, value

    def snapshot(self) -> tuple[Field, ...]:
        """Every field as it stands, as one value: what is made of headers is kept by it.

        A copy shares its fields with the original until one of them is set anew, so that two snapshots of
        what did not change are compared at a glance.
        """
        return tuple(self._fields.values())

    @classmethod
    def from_snapshot(cls, snapshot: Iterable[Field]) -> Headers:
        """The headers that a snapshot was taken of.

        Args:
            snapshot: what `snapshot()` returned.
        """
        headers = cls()
        headers._fields = {field[0].lower(): field for field in snapshot}
        return headers

    def lower_items(self) -> Iterator[tuple[str, Any]]:
        """As `items()`, with the names in lower case."""
        return ((key, self[key]) for key in self._fields)

    def without_none(self) -> Headers:
        """A copy without the fields whose value is None."""
        twin = self.copy()
        twin._drop_none()
        return twin

    def _drop_none(self) -> None:
        for key in [key for key, (_, values) in self._fields.items() if None in values]:
            del self._fields[key]

    def copy(self) -> Headers:
        """A copy that shares nothing that can change."""
        twin = Headers.__new__(Headers)  # a request copies its headers, and has nothing to put in beforehand
        twin._fields = self._fields.copy()
        return twin

    __copy__ = copy

    def __getitem__(self, name: str) -> Any:
        return _joined(self._fields[name.lower()][1])

    def __setitem__(self, name: str | bytes, value: Any) -> None:
        if isinstance(name, bytes):  # as requests takes it; it has to be found under its text too
            name = name.decode("latin-1")
        self._fields[name.lower()] = (name, (value,))

    def __delitem__(self, name: str) -> None:
        del self._fields[name.lower()]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a field, or the default.

        Args:
            key: its name, in any case.
            default: what is returned where there is no such field. Default None.
        """
        # Mapping's raises and catches a KeyError for a name that is not there, as most are not.
        field = self._fields.get(key.lower())
        return default if field is None else _joined(field[1])

    def pop(self, key: str, default: Any = _NO_DEFAULT) -> Any:
        """Take a field off, and return its value; the default, if there is one, where there is no such field.

        Args:
            key: its name, in any case.
            default: what is returned where there is no such field.

        Raises:
            KeyError: there is no such field, and no default.
        """
        # In one step, which no other thread can come between.
        field = self._fields.pop(key.lower(), None)
        if field is not None:
            return _joined(field[1])
        if default is _NO_DEFAULT:
            raise KeyError(key)
        return default

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        if not all(isinstance(name, (str, bytes)) for name in other):
            return False
        other_headers = other if isinstance(other, Headers) else Headers(other)
        return dict(self.lower_items()) == dict(other_headers.lower_items())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return str(dict(self.items()))


def _joined(values: tuple[Any, ...]) -> Any:
    if len(values) == 1:
        return values[0]
    return ", ".join(value.decode("latin-1") if isinstance(value, bytes) else value for value in values)


def merge_headers(given: HeaderTypes | None, session: Headers) -> Headers:
    """The headers of one request: the session's, with the request's laid over them.

    Args:
        given: what the caller passed for this request, or nothing. A value of None takes the session's field
            of that name away.
        session: the headers of the session. A value of None there is no field.

    Raises:
        InvalidHeader: what was given is neither a mapping nor pairs.
    """
    merged = session.copy()
    try:
        merged._fields.update((given if isinstance(given, Headers) else Headers(given or None))._fields)
    except (TypeError, ValueError, AttributeError):
        raise _unreadable(given) from None
    merged._drop_none()
    return merged


def _unreadable(given: Any) -> InvalidHeader:
    return InvalidHeader(
        f"headers of type {type(given).__name__} can't be read: give a mapping, or pairs, of names and "
        f"values that are str or bytes"
    )


def encode_field(name: str | bytes, value: str | bytes) -> tuple[bytes, bytes]:
    """One header field as it goes over the wire.

    Args:
        name: a token (RFC 9110, section 5.1).
        value: text within latin-1, or bytes for any other encoding. Space behind it is no part of a value
            (RFC 9110, section 5.5), and is left out.

    Raises:
        InvalidHeader: the name is no token, or the value holds a control character such as CR, LF or NUL
            (law X7), begins with a space, or is neither str nor bytes.
    """
    if not isinstance(name, (str, bytes)) or not isinstance(value, (str, bytes)):
        raise InvalidHeader(
            f"header {name!r} has a value of {type(value).__name__}: names and values are str or bytes"
        )
    text_name, text_value = _text(name, name), _text(value, name)
    if not TOKEN.fullmatch(text_name):
        raise InvalidHeader(
            f"header name {name!r} is not a token: use letters, digits and any of !#$%&'*+-.^_`|~ "
            f"(RFC 9110, section 5.1)"
        )
    if not _VALUE.fullmatch(text_value):
        raise InvalidHeader(
            f"header {text_name!r} has a control character such as CR, LF or NUL in its value {_NOT_SHOWN}: "
            f"remove it, or encode the value"
        )
    if text_value[:1] in (" ", "\t"):
        raise InvalidHeader(f"header {text_name!r} has a space ahead of its value {_NOT_SHOWN}: strip it")
    return text_name.encode("latin-1"), text_value.rstrip(" \t").encode("latin-1")


def _text(part: str | bytes, name: str | bytes) -> str:
    if isinstance(part, bytes):
        return part.decode("latin-1")
    # The codec's own error would hold the value, and stay behind ours as its context.
    if not part.isascii() and max(part) > "\xff":
        raise InvalidHeader(
            f"header {name!r} with the value {_NOT_SHOWN} can't be written in latin-1: "
            f"pass bytes in the encoding that the server expects"
        )
    return part


# One of the links of a field; a comma in the URL or in a quoted string is a part of it. Here and below, no
# character can be read in two ways, so that the time is linear whatever came.
_LINK: Final = r'(?s:[^",<]|<[^>]*>?|"(?:[^"\\]|\\.)*"?)+'
_LINK_TARGET: Final = r"\s*<([^>]*)>(?s:(.*))"
_LINK_PARAMETER: Final = (
    r';\s*(?P<name>[^\s;="]+)\s*(?:=\s*(?:"(?P<quoted>(?s:[^"\\]|\\.)*)"?|(?P<bare>[^;"]*)))?'
)
_QUOTED_PAIR: Final = r"\\(?s:(.))"


def parse_links(value: str) -> list[dict[str, str]]:
    """The links of a Link field (RFC 8288, section 3).

    Args:
        value: the value of the field, or of several joined by commas.

    Returns:
        For each link its parameters, names as they came, and its target as "url". A parameter without a
        value is "". Of one that comes twice the first counts. What is no link is left out.
    """
    links: list[dict[str, str]] = []
    for text in re.findall(_LINK, value):
        match = re.fullmatch(_LINK_TARGET, text)
        if match is not None:
            link = {"url": match[1].strip()}
            for parameter in re.finditer(_LINK_PARAMETER, match[2]):
                link.setdefault(parameter["name"], _link_value(parameter))
            links.append(link)
    return links


def _link_value(parameter: re.Match[str]) -> str:
    if parameter["quoted"] is not None:
        return re.sub(_QUOTED_PAIR, r"\1", parameter["quoted"])
    return (parameter["bare"] or "").strip().strip("'")  # which quote nothing, and are sent for quotes
