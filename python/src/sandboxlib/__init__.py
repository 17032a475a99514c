"""Runs one command partly isolated from the host.

Each backend is a module with the same functions and a table of what it can give:

    import sandboxlib

    executor = sandboxlib.executor_for_platform()
    config = {'network': 'isolated', 'filesystem_writable_paths': ['/tmp']}
    config = executor.degrade_config_for_capabilities(config)
    exit, out, err = executor.run_sandbox(['make', 'check'], cwd='/src', **config)

The work is done by the ``run-sandbox`` executable: the one that SANDBOXLIB_RUN_SANDBOX names, else the
first on PATH. Nothing is logged, no file is written, and nothing is done when this is imported.

The functions of this module are those of the backend for this platform.
"""

from __future__ import annotations

import shlex
from typing import Any, Dict, Iterable, Mapping, Sequence, Union

from sandboxlib import _platform, bubblewrap, chroot, linux_user_chroot, utils
from sandboxlib._backend import CAPTURE, STDOUT
from sandboxlib._config import StrOrBytes
from sandboxlib._errors import (
    ConfigError,
    ExecError,
    KilledError,
    ProgramNotFound,
    SandboxError,
    SetupError,
    TimeoutExpired,
    UnsupportedError,
)
from sandboxlib._finished import Finished
from sandboxlib._mounts import validate_extra_mounts
from sandboxlib._platform import executor_for_platform, get_executor
from sandboxlib._program import run_sandbox_program
from sandboxlib._version import VERSION as __version__

__all__ = [
    "CAPTURE",
    "STDOUT",
    "ConfigError",
    "ExecError",
    "Finished",
    "KilledError",
    "ProgramNotFound",
    "SandboxError",
    "SetupError",
    "TimeoutExpired",
    "UnsupportedError",
    "__version__",
    "argv_to_string",
    "bubblewrap",
    "chroot",
    "degrade_config_for_capabilities",
    "executor_for_platform",
    "get_executor",
    "linux_user_chroot",
    "run_sandbox",
    "run_sandbox_program",
    "run_sandbox_with_redirection",
    "utils",
    "validate_extra_mounts",
]


def run_sandbox(
    command: Union[StrOrBytes, Iterable[StrOrBytes]], *args: Any, **sandbox_config: Any
) -> Finished:
    """``run_sandbox`` of the backend for this platform."""
    finished: Finished = executor_for_platform().run_sandbox(command, *args, **sandbox_config)
    return finished


def run_sandbox_with_redirection(
    command: Union[StrOrBytes, Iterable[StrOrBytes]], **sandbox_config: Any
) -> int:
    """``run_sandbox_with_redirection`` of the backend for this platform."""
    return run_sandbox(command, **sandbox_config).exit


def degrade_config_for_capabilities(
    in_config: Mapping[str, Any], warn: bool = True
) -> Dict[str, Any]:
    """``degrade_config_for_capabilities`` of the backend for this platform."""
    out_config: Dict[str, Any] = executor_for_platform().degrade_config_for_capabilities(
        in_config, warn=warn
    )
    return out_config


def argv_to_string(argv: Sequence[str]) -> str:
    """A command line as a shell would read it."""
    return " ".join(map(shlex.quote, argv))
