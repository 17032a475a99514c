"""A tree with a static busybox for each test, and the backends to try on it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, List, Optional

import sandboxlib

BUSYBOX = "/bin/busybox"
APPLETS = [
    "cat", "dd", "echo", "env", "false", "grep", "head", "hostname", "id", "ls", "mkdir", "pwd",
    "readlink", "sh", "sleep", "stat", "touch", "true", "yes",
]
IS_ROOT = os.geteuid() == 0
BACKENDS = ["chroot", "linux_user_chroot", "bubblewrap"]
LINUX = ["linux_user_chroot", "bubblewrap"]


def each_backend(names: List[str] = BACKENDS) -> Callable[[Any], Any]:
    """Run a test once for each backend: ``test_x`` becomes ``test_x_on_chroot`` and so on."""

    def mark(test: Any) -> Any:
        test.backends = names
        return test

    return mark


class SandboxTest(unittest.TestCase):
    """A directory with a tree to sandbox; at the end nothing may be left of a sandbox."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, test in list(vars(cls).items()):
            for backend in getattr(test, "backends", []):
                setattr(cls, "%s_on_%s" % (name, backend), _on(test, backend))
            if hasattr(test, "backends"):
                delattr(cls, name)

    def setUp(self) -> None:
        if not os.path.exists(BUSYBOX):
            self.skipTest("%s is missing (Debian: busybox-static)" % BUSYBOX)
        self.directory = Path(tempfile.mkdtemp(prefix="sandboxlib-python-")).resolve()
        self.addCleanup(shutil.rmtree, self.directory)
        self.root = self.directory / "root"
        for name in ["bin", "tmp", "data/1", "data/2"]:
            (self.root / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, self.root / "bin/busybox")
        for name in APPLETS:
            (self.root / "bin" / name).symlink_to("busybox")
        (self.root / "data/canary").write_text("as it was\n")
        (self.root / "data/1/canary").write_text("as it was\n")
        self.source = self.directory / "source"
        self.source.mkdir()
        (self.source / "file").write_text("of the host\n")
        # Before the directory is removed, or it would remove what is mounted there.
        self.addCleanup(self.check_mounts)

    def check_mounts(self) -> None:
        mounts = Path("/proc/self/mountinfo").read_text()
        self.assertNotIn(str(self.directory), mounts)

    def shell(self, script: str, **config: Any) -> Any:
        """Run a script of the tree's shell with the backend of this test."""
        config.setdefault("filesystem_root", str(self.root))
        config.setdefault("env", {"PATH": "/bin"})
        return self.backend.run_sandbox(["sh", "-c", script], **config)

    def prints(self, script: str, output: str, **config: Any) -> None:
        """The script succeeds with this output."""
        self.assertEqual(self.shell(script, **config), (0, output.encode(), b""))

    def paths(self) -> List[str]:
        """Everything in the tree."""
        return sorted(str(path) for path in self.root.rglob("*"))

    backend: ModuleType = sandboxlib.chroot


def _on(test: Any, name: str) -> Any:
    def run(self: SandboxTest) -> None:
        if name == "chroot" and not IS_ROOT:
            self.skipTest("the chroot backend needs root")
        self.backend = sandboxlib.get_executor(name)
        test(self)

    run.__doc__ = test.__doc__
    return run


def python(script: str, cwd: Optional[str] = None, *options: str, **env: str) -> str:
    """What a Python program prints that imports this package."""
    import subprocess

    path = os.path.dirname(os.path.dirname(sandboxlib.__file__))
    done = subprocess.run(
        [sys.executable, *options, "-c", script],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.stdout.decode()
