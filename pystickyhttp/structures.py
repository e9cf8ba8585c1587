"""requests' name for the case-insensitive multi-map of `headers`."""

from __future__ import annotations

from .headers import Headers as CaseInsensitiveDict

__all__ = ["CaseInsensitiveDict"]
