"""A netrc file: who a machine is to be told that we are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from netrc import NetrcParseError
from netrc import netrc as read
from typing import NamedTuple, TypeAlias

Credentials: TypeAlias = tuple[str, str]


class Netrc(NamedTuple):
    """The credentials of a netrc file.

    Attributes:
        path: the file.
        machines: user and password by the machine's name in lower case; None for one that is to have none.
        default: user and password for all other machines, or None.
    """

    path: str
    machines: Mapping[str, Credentials | None]
    default: Credentials | None

    def __repr__(self) -> str:
        return f"<Netrc of {self.path!r}>"

    def credentials(self, host: str) -> Credentials | None:
        """User and password for a host, or None.

        Args:
            host: the host of a `URL`, and nothing else. A host that was cut out of a URL's text by other
                rules than those by which it is dialled would send passwords astray (CVE-2024-47081).

        Returns:
            Those of the machine of this very name; where there is none, those of `default`. The account is
            the user where there is no login.
        """
        return self.machines.get(host, self.default)


def read_netrc(path: str) -> Netrc:
    """Read a netrc file by the standard library.

    Its reader knows quotes, comments and macros, and is the one that requests uses; it costs a program with
    a netrc file less than a millisecond to load, and others nothing. Like requests, and curl, we do not ask
    who else may read the file. A file that breaks the format says nothing at all: where one token is missing,
    the next ones could be taken for what they are not. That is worth a warning: the server will only say 401.

    Raises:
        OSError: the file can't be read.
    """
    try:
        hosts = read(path).hosts
    except (NetrcParseError, UnicodeError) as error:
        # The error's own text would show a token, and the token may be a password.
        line = getattr(error, "lineno", None)
        where = "is not text" if line is None else f"is malformed at line {line}"
        warnings.warn(
            f"the netrc file {path!r} {where}: no credentials are taken from it until it is corrected; "
            f"NETRC can name another file",
            stacklevel=2,
        )
        return Netrc(path, {}, None)
    machines = {name.lower(): _credentials(*entry) for name, entry in hosts.items()}
    return Netrc(path, machines, default=machines.get("default"))


def _credentials(login: str, account: str | None, password: str | None) -> Credentials | None:
    if not (login or account or password):
        return None
    return login or account or "", password or ""
