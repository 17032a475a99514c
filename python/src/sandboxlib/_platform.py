"""The backends by name, and the one for this platform."""

from __future__ import annotations

import os
import platform
import warnings
from types import ModuleType

from sandboxlib import _program, bubblewrap, chroot, linux_user_chroot

_EXECUTORS = {
    "bubblewrap": bubblewrap,
    "chroot": chroot,
    "linux_user_chroot": linux_user_chroot,
}

VARIABLE = "SANDBOXLIB_BACKEND"


def get_executor(name: str) -> ModuleType:
    """Return the module of a backend: ``chroot``, ``linux_user_chroot`` or ``bubblewrap``.

    ``-`` and ``_`` are the same in a name. KeyError where no backend has it.
    """
    plain = name.replace("-", "_")
    if plain not in _EXECUTORS:
        raise KeyError("%s is not a known executor in this version of 'sandboxlib'." % plain)
    return _EXECUTORS[plain]


def executor_for_platform() -> ModuleType:
    """Return the module of the backend that suits this host.

    SANDBOXLIB_BACKEND names it; a name that no backend has is a warning. Otherwise it is
    ``linux_user_chroot`` where that can make sandboxes, which is tried, else ``chroot``. ``bubblewrap``
    is taken only if it is named: to be user 0 inside has to be asked for.
    """
    name = os.environ.get(VARIABLE)
    if name:
        try:
            return get_executor(name)
        except KeyError:
            warnings.warn(
                "%s environment variable is set to an invalid value %s." % (VARIABLE, name),
                stacklevel=2,
            )
    if platform.system() == "Linux" and _program.settings("linux-user-chroot"):
        return linux_user_chroot
    return chroot
