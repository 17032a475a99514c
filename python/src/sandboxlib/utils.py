"""Small helpers that the backends share, and that the original has under this name."""

from __future__ import annotations

import os
import shutil
from typing import Any, Collection

from sandboxlib._errors import ConfigError, ProgramNotFound


def check_parameter(name: str, value: Any, supported_values: Collection[Any]) -> None:
    """Raise ``ConfigError``, an ``AssertionError``, unless a value is one of those that exist."""
    if value in supported_values:
        return
    raise ConfigError(
        "%r is an unsupported value for %r in this backend. Supported values: %s"
        % (value, name, ", ".join(str(one) for one in supported_values)),
        setting=name,
    )


def find_program(program_name: str) -> str:
    """The path of a program on PATH; ``ProgramNotFound`` where there is none."""
    search_path = os.environ.get("PATH")
    found = shutil.which(program_name, path=search_path)
    if found is None:
        raise ProgramNotFound(
            "Did not find '%s' in PATH. Searched '%s'" % (program_name, search_path)
        )
    return found
