"""How a command ended."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional


class _Triple(NamedTuple):
    exit: int
    out: Optional[bytes]
    err: Optional[bytes]


class Finished(_Triple):
    """The tuple (exit, out, err) of the original, which knows more than the three.

    Attributes:
      exit: the exit code, 0 to 255; 128 + N where signal N killed the command.
      out, err: what was captured; None for what was not.
      signal: the signal that killed the command, None where it exited.
      usage: ``wall``, ``user`` and ``system`` in seconds, and ``max-rss-kib``.
      notes: what should be known of how parameters were met, each with ``setting`` and ``text``.
    """

    signal: Optional[int] = None
    usage: Dict[str, Any] = {}
    notes: List[Dict[str, str]] = []

    def __repr__(self) -> str:
        return repr(tuple(self))
