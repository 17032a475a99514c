"""The call of YBD, a build tool that is written for the original, as it makes it."""

from __future__ import annotations

import os
from typing import Any, Dict

import sandboxlib
from tests.support import SandboxTest, each_backend

COMMANDS = """
echo "building in $(pwd)"
echo "# to stderr" >&2
test "$(cat /tmp/ccache/file)" = 'of the host'
test -e /proc/self/status
echo made > output && echo "installed $DESTDIR" && cp output $DESTDIR/output
echo shared > /dev/shm/x && rm /dev/shm/x
if echo x > /bin/changed; then echo 'wrote to /bin'; else echo 'cannot write to /bin'; fi
"""


class Ybd(SandboxTest):
    def env(self, destdir: str) -> Dict[str, str]:
        return {
            "PATH": "/bin:/usr/bin", "PREFIX": "/usr", "DESTDIR": destdir, "HOME": "/tmp",
            "TERM": "dumb", "SHELL": "/bin/sh", "USER": "tomjon", "LOGNAME": "tomjon",
            "USERNAME": "tomjon", "LC_ALL": "C", "TZ": "UTC", "MAKEFLAGS": "-j2",
        }

    def run_commands(self, commands: str, config: Dict[str, Any], env: Dict[str, str]) -> Any:
        name = self.backend.__name__.rpartition(".")[2]
        os.environ["SANDBOXLIB_BACKEND"] = name
        self.addCleanup(os.environ.pop, "SANDBOXLIB_BACKEND", None)
        executor = sandboxlib.executor_for_platform()
        self.assertIs(executor, self.backend)
        config = executor.degrade_config_for_capabilities(config, warn=False)
        log = self.directory / "log"
        with open(log, "a") as logfile:
            logfile.write("# # the log's own line\n")
            code = executor.run_sandbox_with_redirection(
                ["sh", "-c", "-e", commands], stdout=logfile, stderr=sandboxlib.STDOUT, env=env,
                **config)
        return code, log.read_text()

    def normal(self) -> Dict[str, Any]:
        (self.root / "hello.build").mkdir(exist_ok=True)
        (self.root / "hello.inst").mkdir(exist_ok=True)
        return {
            "cwd": "hello.build",
            "filesystem_root": str(self.root),
            "filesystem_writable_paths": ["hello.build", "hello.inst", "/dev", "/proc", "/tmp"],
            "mounts": "isolated",
            "network": "isolated",
            "extra_mounts": [
                (str(self.source), "/tmp/ccache", None, "bind"),
                ("tmpfs", "/dev/shm", "tmpfs"),
                ("proc", "/proc", "proc"),
            ],
        }

    @each_backend()
    def test_normal(self) -> None:
        (self.root / "bin/cp").symlink_to("busybox")
        (self.root / "bin/rm").symlink_to("busybox")
        (self.root / "bin/test").symlink_to("busybox")
        code, log = self.run_commands(COMMANDS, self.normal(), self.env("/hello.inst"))
        lines = log.splitlines()
        self.assertEqual(code, 0, log)
        self.assertEqual(
            lines[:4],
            ["# # the log's own line", "building in /hello.build", "# to stderr",
             "installed /hello.inst"],
        )
        self.assertEqual((self.root / "hello.inst/output").read_text(), "made\n")
        if self.backend is sandboxlib.chroot:
            self.assertEqual(lines[4:], ["wrote to /bin"])
        else:
            self.assertIn("Read-only file system", lines[4])
            self.assertEqual(lines[5:], ["cannot write to /bin"])

    @each_backend()
    def test_all_writable_and_a_failing_command(self) -> None:
        config = {**self.normal(), "filesystem_writable_paths": "all"}
        code, log = self.run_commands("echo > /x; false; echo no", config, self.env("/"))
        self.assertEqual((code, log), (1, "# # the log's own line\n"))
        self.assertTrue((self.root / "x").exists())

    @each_backend()
    def test_bootstrap(self) -> None:
        checkout, install = self.directory / "checkout", self.directory / "install"
        temporary = self.directory / "temporary"
        for path in [checkout, install, temporary]:
            path.mkdir()
        config = {
            "cwd": str(checkout),
            "filesystem_root": "/",
            "filesystem_writable_paths": [str(checkout), str(install), str(temporary)],
            "mounts": "isolated",
            "network": "isolated",
            "extra_mounts": [],
        }
        commands = "pwd; echo a > $DESTDIR/a; echo b > b; echo x > %s/x" % self.source
        code, log = self.run_commands(commands, config, self.env(str(install)))
        self.assertEqual(log.splitlines()[1], str(checkout))
        self.assertTrue((install / "a").exists() and (checkout / "b").exists())
        is_chroot = self.backend is sandboxlib.chroot
        self.assertEqual((code == 0, (self.source / "x").exists()), (is_chroot, is_chroot), log)
