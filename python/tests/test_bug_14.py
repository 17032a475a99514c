"""Fault 14: mounts of the chroot backend in the host's view, where removing a tree follows them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, List

import sandboxlib
from tests.support import SandboxTest, each_backend
from tests.test_failures import soon

CHROOT = ["chroot"]
# It says that it sees the bind, and waits for a word.
SCRIPT = "cat /mnt/file /made/file > /tmp/seen; while ! test -e /tmp/go; do sleep 0.01; done"


class Bug14(SandboxTest):
    def setUp(self) -> None:
        super().setUp()
        (self.root / "mnt").mkdir()
        (self.root / "bin/test").symlink_to("busybox")
        self.seen = self.root / "tmp/seen"
        # One mount inside another, as unmounting in the wrong order leaves the first.
        self.mounts = [
            (str(self.source), "/mnt", None, "bind"),
            (str(self.source), "/made", None, "bind"),
            ("t", "/mnt/sub", "tmpfs"),
        ]
        (self.source / "sub").mkdir()

    def of_the_host(self) -> List[str]:
        """What is mounted in this test's directory, as the host sees it."""
        mounts = Path("/proc/mounts").read_text().splitlines()
        return [line for line in mounts if str(self.directory) in line]

    def check_source(self) -> None:
        self.assertEqual((self.source / "file").read_text(), "of the host\n")

    def check_seen(self) -> None:
        """The control: it is mounted, where the command is."""
        wanted = "of the host\n" * 2
        self.assertTrue(soon(lambda: self.seen.exists() and self.seen.read_text() == wanted))

    @each_backend(CHROOT)
    def test_bug_14_the_hosts_mounts_stay_as_they_are(self) -> None:
        done: List[Any] = []
        thread = threading.Thread(
            target=lambda: done.append(self.shell(SCRIPT, extra_mounts=self.mounts, timeout=60)))
        thread.start()
        try:
            self.check_seen()
            self.assertEqual(self.of_the_host(), [])
            self.assertEqual(list((self.root / "mnt").iterdir()), [])
        finally:
            (self.root / "tmp/go").touch()
            thread.join(90)
        self.assertEqual(done, [(0, b"", b"")])
        self.assertEqual(self.of_the_host(), [])
        shutil.rmtree(self.root)
        self.check_source()

    @each_backend(CHROOT)
    def test_bug_14_a_caller_that_is_killed_leaves_no_mount(self) -> None:
        script = (
            "import sandboxlib\n"
            "sandboxlib.chroot.run_sandbox(['sh', '-c', %r], filesystem_root=%r,\n"
            "                              env={'PATH': '/bin'}, extra_mounts=%r)\n"
        )
        path = os.path.dirname(os.path.dirname(sandboxlib.__file__))
        caller = subprocess.Popen(
            [sys.executable, "-c", script % (SCRIPT, str(self.root), self.mounts)],
            env={**os.environ, "PYTHONPATH": path},
        )
        self.addCleanup(caller.wait)
        self.addCleanup(caller.kill)
        self.check_seen()
        caller.kill()
        caller.wait(60)
        # As the original does at once.
        self.assertEqual(self.of_the_host(), [])
        shutil.rmtree(self.root, ignore_errors=True)
        self.check_source()
        # Until it has ended, the command may still write to the tree.
        self.assertTrue(soon(lambda: shutil.rmtree(self.root, ignore_errors=True)
                             or not self.root.exists()))
        self.check_source()
