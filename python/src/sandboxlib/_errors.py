"""What can go wrong. How the command ended is never an exception."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple, Type


class ProgramNotFound(Exception):
    """An executable that is needed, ``run-sandbox`` above all, is not there."""


class SandboxError(RuntimeError):
    """The command was not run to its end in the sandbox that was asked for.

    Attributes:
      kind: ``config``, ``unsupported``, ``setup``, ``exec``, ``killed``, ``timeout`` or ``host``.
      setting: what it is about, as the configuration of ``run-sandbox`` names it (``cwd``,
        ``extra-mounts[0]``), where that is known.
      step: what was being done, where one step failed.
      errno: what the kernel said, where it was the kernel.
      unmet: what each backend cannot give, and why (``backend``, ``setting``, ``requested``,
        ``supported``, ``reason``, ``remedy``), where the kind is ``unsupported``.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "host",
        setting: Optional[str] = None,
        step: Optional[str] = None,
        errno: Optional[int] = None,
        unmet: Optional[List[Dict[str, Any]]] = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.setting = setting
        self.step = step
        self.errno = errno
        self.unmet = unmet or []

    def __reduce__(self) -> Tuple[Any, ...]:
        # Not by the parameters of __init__, which differ from class to class.
        return _unpickled, (type(self), self.args, dict(vars(self)))


def _unpickled(
    kind: Type[SandboxError], args: Tuple[Any, ...], details: Dict[str, Any]
) -> SandboxError:
    """An exception as it was, for pickle and copy: between the processes of a pool, say."""
    error = kind.__new__(kind, *args)
    vars(error).update(details)
    return error


class ConfigError(SandboxError, AssertionError, ValueError):
    """A parameter is wrong, whatever the host. The original had ``assert`` for this."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message, **{"kind": "config", **details})


class UnsupportedError(SandboxError, AssertionError):
    """A parameter asks for what this backend cannot give here; ``unmet`` says why.

    ``degrade_config_for_capabilities`` lowers what can be lowered.
    """


class SetupError(SandboxError):
    """The sandbox could not be made."""


class ExecError(SandboxError):
    """The sandbox was made, and the command cannot be executed in it; ``errno`` says why."""


class KilledError(SandboxError):
    """Somebody killed the sandbox: how the command would have ended is not known."""


class TimeoutExpired(SandboxError):
    """The command took longer than ``timeout``, and was killed with all that it had started.

    Attributes:
      stdout, stderr: what had been captured until then; None for what is not captured.
    """

    def __init__(self, timeout: float, stdout: Optional[bytes], stderr: Optional[bytes]) -> None:
        super().__init__("the command was killed after %g seconds" % timeout, kind="timeout")
        self.timeout = timeout
        self.stdout = stdout
        self.stderr = stderr


_CLASSES: Dict[str, Type[SandboxError]] = {
    "usage": ConfigError,
    "config": ConfigError,
    "unsupported": UnsupportedError,
    "setup": SetupError,
    "exec": ExecError,
    "killed": KilledError,
}

# How the original begins its messages for the settings that it can fail on.
_BEGINNINGS = {
    "cwd": "Unable to set current working directory",
    "root": "Unable to chroot",
}


def from_event(event: Mapping[str, Any]) -> SandboxError:
    """The exception for an event ``error`` of ``run-sandbox``."""
    kind = str(event.get("kind"))
    setting = event.get("setting")
    message = str(event.get("message"))
    beginning = _BEGINNINGS.get(str(setting)) if kind == "setup" else None
    if kind == "config" and setting and not message.startswith(setting):
        beginning = setting
    return _CLASSES.get(kind, SandboxError)(
        "%s: %s" % (beginning, message) if beginning else message,
        kind="config" if kind == "usage" else kind,
        setting=setting,
        step=event.get("step"),
        errno=event.get("errno"),
        unmet=event.get("unmet"),
    )
