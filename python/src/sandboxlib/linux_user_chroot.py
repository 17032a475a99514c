"""The Linux backend, as the caller: namespaces, for any user, with no other program than run-sandbox."""

from __future__ import annotations

from typing import Any, Dict, List

from sandboxlib._backend import Backend
from sandboxlib._program import run_sandbox_program

_BACKEND = Backend(
    name="linux-user-chroot",
    engine="linux-user-chroot",
    network=("isolated", "undefined"),
    mounts=("isolated", "undefined"),
    writable_paths=("all", "any"),
    user="same",
    bind="bind",
    stdin=None,
)

#: The values that can be given here, by parameter; found out when it is first asked for.
CAPABILITIES: Dict[str, List[str]]

degrade_config_for_capabilities = _BACKEND.degrade_config_for_capabilities
run_sandbox = _BACKEND.run_sandbox
run_sandbox_with_redirection = _BACKEND.run_sandbox_with_redirection


def linux_user_chroot_program() -> str:
    """The path of the program that does the work, which is ``run-sandbox``.

    Raises ProgramNotFound where there is none.
    """
    return run_sandbox_program()


def __getattr__(name: str) -> Any:
    if name == "CAPABILITIES":
        return _BACKEND.capabilities()
    raise AttributeError("module %r has no attribute %r" % (__name__, name))
