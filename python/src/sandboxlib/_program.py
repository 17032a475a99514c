"""The ``run-sandbox`` executable: where it is, and what it can do here."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from typing import Any, Dict, List

from sandboxlib import utils
from sandboxlib._errors import ProgramNotFound, SandboxError

VARIABLE = "SANDBOXLIB_RUN_SANDBOX"


def run_sandbox_program() -> str:
    """The path of ``run-sandbox``: what SANDBOXLIB_RUN_SANDBOX names, else the first on PATH."""
    named = os.environ.get(VARIABLE)
    if not named:
        try:
            return utils.find_program("run-sandbox")
        except ProgramNotFound as error:
            raise ProgramNotFound("%s. %s can name it" % (error, VARIABLE)) from None
    # A name without a slash is looked for on PATH; nothing else is tried in its place.
    found = shutil.which(named)
    if found is None:
        raise ProgramNotFound("%s is %r, which is no executable program" % (VARIABLE, named))
    return found


def settings(backend: str) -> Dict[str, List[str]]:
    """For each setting of ``run-sandbox`` the values that a backend can give on this host.

    Nothing where the backend cannot make sandboxes here at all. It is found out once.
    """
    return _report(run_sandbox_program()).get(backend, {})


@functools.lru_cache(maxsize=None)
def _report(program: str) -> Dict[str, Dict[str, List[str]]]:
    """The settings of each backend that is available."""
    try:
        done = subprocess.run(
            [program, "--capabilities"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise SandboxError("cannot execute %s: %s" % (program, error), errno=error.errno) from None
    if done.returncode != 0:
        why = os.fsdecode(done.stderr).strip()
        raise SandboxError("%s --capabilities failed: %s" % (program, why))
    try:
        backends: List[Dict[str, Any]] = json.loads(done.stdout)["backends"]
        return {one["name"]: dict(one["settings"]) for one in backends if one["available"]}
    except (KeyError, TypeError, ValueError):
        raise SandboxError(
            "%s --capabilities said %.100r, which is no report of capabilities"
            % (program, done.stdout)
        ) from None
