"""Extra mounts: the original's tuples, and the lines of fstab(5) that run-sandbox reads."""

from __future__ import annotations

import os
import re
from typing import Any, Iterable, List, Optional, Sequence

from sandboxlib._errors import ConfigError


def validate_extra_mounts(extra_mounts: Optional[Iterable[Sequence[Any]]]) -> List[List[str]]:
    """Check the setting ``extra_mounts``, and fill in what may be left out.

    Returns lists of source, target, type and options; what is None or left out is ''.
    """
    return [_validated(entry) for entry in extra_mounts or []]


def _validated(entry: Sequence[Any]) -> List[str]:
    if isinstance(entry, (str, bytes)) or len(entry) not in (3, 4):
        raise ConfigError(
            "Invalid mount entry in 'extra_mounts': %r: give (source, target, type) or "
            "(source, target, type, options)" % (entry,),
            setting="extra-mounts",
        )
    if entry[1] is None or entry[1] == "":
        raise ConfigError(
            "Mount point empty in mount entry %r" % (entry,), setting="extra-mounts"
        )
    return [_text(field) for field in [*entry, ""][:4]]


def _text(field: Any) -> str:
    if field is None:
        return ""
    return os.fsdecode(field) if isinstance(field, (bytes, os.PathLike)) else str(field)


def fstab_line(entry: Sequence[str], bind_option: str) -> str:
    """An entry, as ``validate_extra_mounts`` returns it, as a line of fstab(5).

    ``bind_option`` is what ``bind`` means to the backend: ``bind`` without the mounts below the
    source, or ``rbind`` with them.
    """
    source, target, kind, options = entry
    words = [bind_option if word == "bind" else word for word in options.split(",") if word]
    fields = [
        source or "none",
        # Taken from the root of the sandbox, never from the caller's working directory.
        target if target.startswith("/") else "/" + target,
        kind or "none",
        ",".join(words) or "defaults",
    ]
    return " ".join(_escaped(field) for field in fields)


def _escaped(field: str) -> str:
    """With every byte that is not plain ASCII as a backslash and three octal digits."""
    return re.sub(
        rb"[^!-\[\]-~]", lambda found: b"\\%03o" % found.group()[0], os.fsencode(field)
    ).decode("ascii")
