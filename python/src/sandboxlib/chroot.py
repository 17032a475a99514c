"""The backend around chroot(2): for root, on any POSIX system.

Isolates files only. What is mounted is mounted for the sandbox alone where the platform can do that.
"""

from __future__ import annotations

import subprocess
from typing import Any, Dict, List

from sandboxlib._backend import Backend

_BACKEND = Backend(
    name="chroot",
    engine="chroot",
    network=("undefined",),
    mounts=("undefined",),
    writable_paths=("all",),
    user="same",
    bind="bind",
    stdin=subprocess.DEVNULL,
)

#: The values that can be given here, by parameter; found out when it is first asked for.
CAPABILITIES: Dict[str, List[str]]

degrade_config_for_capabilities = _BACKEND.degrade_config_for_capabilities
run_sandbox = _BACKEND.run_sandbox
run_sandbox_with_redirection = _BACKEND.run_sandbox_with_redirection


def __getattr__(name: str) -> Any:
    if name == "CAPABILITIES":
        return _BACKEND.capabilities()
    raise AttributeError("module %r has no attribute %r" % (__name__, name))
