"""The name under which a download is saved, pure: what a server says is a proposal, and no path.

RFC 6266, section 4.3: a recipient must not let the server choose a folder, nor a name that means something
to its system.
"""

from __future__ import annotations

import mimetypes
import os
import re
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

from .. import urls

# File systems have 255 bytes for a name, and ".part.json" has to go behind it.
LONGEST_NAME: Final = 240
# What separates folders, and what some system takes for a device, a stream, a pattern or a drive.
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*]')
# What Windows drops from the end of a name.
_DROPPED: Final = ". "
# What Windows takes for a device, in any folder and with any extension, even behind spaces.
_DEVICE: Final = re.compile(
    r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)", re.IGNORECASE
)
# What `partial` keeps beside a file. Somebody else's bytes there would be taken for the beginning of a file.
_OF_A_PART: Final = re.compile(r"\.(part(?:\.json)?)$", re.IGNORECASE)
_EXTENDED: Final = re.compile(r"(?:^|[;\s])filename\*\s*=\s*([\w-]+)'[^']*'([^\s;]+)", re.IGNORECASE)
_PLAIN: Final = re.compile(r'(?:^|[;\s])filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
# What is at the root of a server, as wget calls it.
_NAMELESS: Final = "index"


def name_of(disposition: str | None, url: str, content_type: str = "") -> str:
    """The name for a download: the server's, else the last part of the URL's path.

    Args:
        disposition: the value of Content-Disposition, or None.
        url: the URL that the user gave. That of a redirect is the server's choice, who has the header for it.
        content_type: the type of the body, which names what has no name.
    """
    proposed = safe(filename_in(disposition or "")) or safe(_last_of(url))
    if proposed:
        return proposed
    extension = mimetypes.guess_extension(content_type.partition(";")[0].strip()) or ""
    return _NAMELESS + (extension or ".html")


def filename_in(disposition: str) -> str:
    """The file name in a Content-Disposition (RFC 6266), "" where there is none.

    The extended form (RFC 8187) goes ahead of the other one, which is there for who can't read it.
    """
    extended = _EXTENDED.search(disposition)
    if extended is not None:
        raw = unquote_to_bytes(extended[2])
        try:
            return raw.decode(extended[1])
        except (LookupError, UnicodeError):  # some codecs, such as idna's, raise nothing finer
            pass  # the other form may be better
    plain = _PLAIN.search(disposition)
    if plain is None:
        return ""
    text = plain[2] if plain[1] is None else re.sub(r"\\(.)", r"\1", plain[1])
    return _as_utf8(text)


def _as_utf8(text: str) -> str:
    """Header fields are read as latin-1; servers that send what RFC 6266 does not allow send UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _last_of(url: str) -> str:
    return unquote(urls.parse(url).path.rpartition("/")[2])


def safe(proposed: str) -> str:
    """A name that is only a name, on every system: no folders, nothing hidden, no device, nothing that looks
    like an option or a part.

    Args:
        proposed: what somebody else proposes.

    Returns:
        What is left of it; "" where nothing is.
    """
    # Windows' separator counts everywhere: the name that a user is shown is the name that it gets.
    last = re.split(r"[/\\]", proposed)[-1]
    visible = "".join(char if char.isprintable() else "_" for char in last)
    name = _shortened(_UNSAFE.sub("_", visible).lstrip(".- ").rstrip(_DROPPED)).rstrip(_DROPPED)
    name = _OF_A_PART.sub(r"_\1", name)
    return f"_{name}" if _DEVICE.match(name) else name


def _shortened(name: str) -> str:
    longest = LONGEST_NAME - 1  # leaves room for the mark that a device gets
    if len(name.encode()) <= longest:
        return name
    stem, extension = os.path.splitext(name)
    # One that is this long is none.
    extension = extension if len(extension.encode()) <= 16 else ""
    room = longest - len(extension.encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + extension
