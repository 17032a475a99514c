"""What the backends have in common: their one implementation."""

from __future__ import annotations

import subprocess
import warnings
from dataclasses import dataclass
from typing import IO, Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from sandboxlib import _config, _mounts, _program, _run, utils
from sandboxlib._config import StrOrBytes
from sandboxlib._errors import ConfigError
from sandboxlib._finished import Finished

#: For stdout and stderr: return the output, as bytes.
CAPTURE = subprocess.PIPE
#: For stderr: where stdout goes.
STDOUT = subprocess.STDOUT

#: CAPTURE, None (discarded), an open file, or the number of a descriptor; for stderr STDOUT, too.
Redirection = Union[None, int, IO[Any]]


@dataclass(frozen=True)
class Backend:
    """One of the original's backends on top of ``run-sandbox``."""

    #: As in messages.
    name: str
    #: The backend of run-sandbox that does the work.
    engine: str
    #: What the original's backend of this name takes.
    network: Tuple[str, ...]
    mounts: Tuple[str, ...]
    writable_paths: Tuple[str, ...]
    #: Who the command is, as run-sandbox names it.
    user: str
    #: What the option ``bind`` of a mount means.
    bind: str
    #: What the command reads, as Popen takes it: None for the caller's own input.
    stdin: Optional[int]

    def capabilities(self) -> Dict[str, List[str]]:
        """The values that this backend takes, less what the host does not let it give.

        Where it cannot make sandboxes here at all it is what it would take elsewhere: a run then says
        what is in the way.
        """
        here = _program.settings(self.engine)
        network, mounts, writable = (list(one) for one in (
            self.network, self.mounts, self.writable_paths
        ))
        if here:
            network = [value for value in network if value in here["network"]]
            mounts = [value for value in mounts if value in here["mounts"]]
            lists = {"only", "nothing"} <= set(here["writable"])
            writable = [value for value in writable if value == "all" or lists]
        return {"network": network, "mounts": mounts, "filesystem_writable_paths": writable}

    def degrade_config_for_capabilities(
        self, in_config: Mapping[str, Any], warn: bool = True
    ) -> Dict[str, Any]:
        """Return a copy of a configuration, with what this backend cannot give here lowered.

        Looks at ``mounts``, ``network`` and ``filesystem_writable_paths`` only. Where such a parameter
        can only be ``'undefined'`` or ``'all'``, any other value is lowered, one that does not exist
        too; where it can be isolated, that is left for ``run_sandbox`` to refuse. Each step down is a
        warning (``warnings.warn``), unless ``warn`` is false.
        """
        out_config = dict(in_config)
        capabilities = self.capabilities()
        lowered = {}
        for name in ("mounts", "network"):
            asked = out_config.get(name, "undefined")
            if asked != "undefined" and "isolated" not in capabilities[name]:
                lowered[name] = "undefined"
        paths = "filesystem_writable_paths"
        if out_config.get(paths, "all") != "all" and "any" not in capabilities[paths]:
            lowered[paths] = "all"
        for name, value in lowered.items():
            if warn:
                warnings.warn(
                    "Unable to set %s=%s in a %s sandbox, falling back to %s=%s"
                    % (name, out_config[name], self.name, name, value),
                    stacklevel=2,
                )
            out_config[name] = value
        return out_config

    def run_sandbox(
        self,
        command: Union[StrOrBytes, Iterable[StrOrBytes]],
        cwd: Optional[StrOrBytes] = None,
        env: Optional[Mapping[Any, Any]] = None,
        filesystem_root: StrOrBytes = "/",
        filesystem_writable_paths: Union[None, str, Iterable[StrOrBytes]] = "all",
        mounts: str = "undefined",
        extra_mounts: Optional[Iterable[Sequence[Any]]] = None,
        network: str = "undefined",
        stdout: Redirection = CAPTURE,
        stderr: Redirection = CAPTURE,
        *,
        timeout: Optional[float] = None,
    ) -> Finished:
        """Run a command in a sandbox, and return the tuple (exit code, output, error output).

        Parameters:
          command: a list of the program and its arguments. A text is the program alone: nothing is
            split, there is no shell.
          cwd: where the command starts, inside; a relative path is taken from the sandbox's root.
            Default: ``/`` if another root is given, else the caller's directory.
          env: all of the command's variables, to which nothing is added. Default: the caller's.
          filesystem_root: the directory of the host that the command has as ``/``. Default: ``/``,
            so no isolation of files.
          filesystem_writable_paths: ``'all'``; a list of paths inside, each with what is below it, and
            all else is read-only; or ``'none'`` or ``[]``. They are relative to the root, hold after
            ``extra_mounts``, and must exist then. Default: ``'all'``.
          mounts: ``'isolated'``: what is mounted inside stays inside. Default: ``'undefined'``, so no
            attempt either way.
          extra_mounts: tuples of source, target, type and options, as in fstab(5); the last may be
            left out, and source and type may be None. Made in order; a target that is missing is made,
            and removed again at the end.
          network: ``'isolated'``: nothing but loopback. Default: ``'undefined'``.
          stdout, stderr: ``CAPTURE`` (the default) to return it; None to discard it; a file or a
            descriptor to write there; for stderr ``STDOUT`` to put it into stdout.
          timeout: seconds after which everything in the sandbox is killed. None, the default, and
            ``math.inf`` are no time-out.

        The exit code is the command's own, or 128 + N where signal N killed it. What is not captured is
        None. The tuple has attributes, too: see Finished.

        Raises ConfigError, for a value of a wrong type too, UnsupportedError, SetupError and ExecError
        where the command was not run;
        KilledError and TimeoutExpired where it was and did not end by itself; ProgramNotFound where
        there is no ``run-sandbox``. When it returns or raises, nothing of the sandbox is left.
        """
        utils.check_parameter("mounts", mounts, self.mounts)
        utils.check_parameter("network", network, self.network)
        writable = _config.writable(filesystem_writable_paths)
        if writable != "all" and "any" not in self.writable_paths:
            utils.check_parameter(
                "filesystem_writable_paths", filesystem_writable_paths, self.writable_paths
            )
        entries = _mounts.validate_extra_mounts(extra_mounts)
        config: Dict[str, Any] = {
            "command": _config.words(command),
            "env": _config.environment(env),
            "root": _config.root(filesystem_root),
            "writable": writable,
            "mounts": mounts,
            "network": network,
            "extra-mounts": [_mounts.fstab_line(entry, self.bind) for entry in entries],
            "user": self.user,
            "backend": self.engine,
        }
        if cwd is not None:
            config["cwd"] = _config.text(cwd, "cwd")
        return _run.run(
            _program.run_sandbox_program(),
            config,
            self.stdin,
            _redirected("stdout", stdout),
            _redirected("stderr", stderr),
            _config.seconds(timeout),
        )

    def run_sandbox_with_redirection(
        self, command: Union[StrOrBytes, Iterable[StrOrBytes]], **sandbox_config: Any
    ) -> int:
        """Run a command as ``run_sandbox`` does, and return its exit code only."""
        return self.run_sandbox(command, **sandbox_config).exit


def _redirected(name: str, stream: Redirection) -> int:
    """A stream as Popen takes it, and what this process has written to it before."""
    if stream is None:
        return subprocess.DEVNULL
    if isinstance(stream, int):
        # STDOUT is a number, too, and means something for stderr only.
        if stream >= 0 or stream in (CAPTURE, subprocess.DEVNULL):
            return stream
        if stream == STDOUT and name == "stderr":
            return stream
        raise ConfigError("%r is an unsupported value for %r" % (stream, name), setting=name)
    try:
        number = stream.fileno()
        flush = getattr(stream, "flush", None)
        if flush is not None:
            # What the command writes comes after what is in the file's buffer.
            flush()
    except (AttributeError, ValueError) as error:
        # ValueError: it is closed, or one in memory (io.UnsupportedOperation).
        raise ConfigError(
            "%r is an unsupported value for %r: %s; give CAPTURE, None, a descriptor or an open "
            "file that has one" % (stream, name, error),
            setting=name,
        ) from None
    return number
