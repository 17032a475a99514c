"""The cases that the original tests itself by, each for each backend that can pass it."""

from __future__ import annotations

import warnings

import sandboxlib
from tests.support import LINUX, SandboxTest, each_backend


class Streams(SandboxTest):
    @each_backend()
    def test_no_output(self) -> None:
        self.assertEqual(self.shell("echo xyzzy", stdout=None, stderr=None), (0, None, None))

    @each_backend()
    def test_output(self) -> None:
        self.prints("echo xyzzy", "xyzzy\n")

    @each_backend()
    def test_output_to_file(self) -> None:
        with open(self.directory / "out", "w+b") as out:
            done = self.shell("echo xyzzy; echo no >&2", stdout=out, stderr=None)
            out.seek(0)
            self.assertEqual((done, out.read()), ((0, None, None), b"xyzzy\n"))

    @each_backend()
    def test_errors_into_output(self) -> None:
        done = self.shell("echo a; echo b >&2; echo c", stderr=sandboxlib.STDOUT)
        self.assertEqual(done, (0, b"a\nb\nc\n", None))

    @each_backend()
    def test_redirection_returns_the_exit_code(self) -> None:
        with open(self.directory / "log", "w+b") as log:
            code = self.backend.run_sandbox_with_redirection(
                ["sh", "-c", "echo out; echo err >&2; exit 7"],
                filesystem_root=str(self.root),
                stdout=log,
                stderr=sandboxlib.STDOUT,
            )
            log.seek(0)
            self.assertEqual((code, log.read()), (7, b"out\nerr\n"))


class Surroundings(SandboxTest):
    @each_backend()
    def test_current_working_directory(self) -> None:
        self.prints("pwd", "/data/1\n", cwd="/data/1")

    @each_backend()
    def test_current_working_directory_of_the_host(self) -> None:
        done = self.backend.run_sandbox(["pwd"], cwd=str(self.directory))
        self.assertEqual(done, (0, str(self.directory).encode() + b"\n", b""))

    @each_backend()
    def test_environment(self) -> None:
        done = self.backend.run_sandbox(["env"], env={"foo": "bar"})
        self.assertEqual(done, (0, b"foo=bar\n", b""))

    @each_backend()
    def test_network_undefined(self) -> None:
        done = self.backend.run_sandbox(["cat", "/proc/net/dev"], network="undefined")
        with open("/proc/net/dev") as ours:
            self.assertEqual(_interfaces(done[1].decode()), _interfaces(ours.read()))

    @each_backend(LINUX)
    def test_isolated_network(self) -> None:
        done = self.backend.run_sandbox(["cat", "/proc/net/dev"], network="isolated")
        self.assertEqual(_interfaces(done[1].decode()), ["lo"])


def _interfaces(table: str) -> "list[str]":
    return sorted(line.split(":")[0].strip() for line in table.splitlines()[2:])


class Mounts(SandboxTest):
    @each_backend()
    def test_mount_proc(self) -> None:
        self.prints("ls -d /proc/self", "/proc/self\n", extra_mounts=[(None, "/proc", "proc")])

    @each_backend()
    def test_mount_tmpfs(self) -> None:
        tmpfs = [(None, "/dev/shm", "tmpfs")]
        self.prints("echo x > /dev/shm/file; cat /dev/shm/file", "x\n", extra_mounts=tmpfs)

    @each_backend()
    def test_mount_bind(self) -> None:
        bind = [(str(self.source), "/mnt", None, "bind")]
        self.prints("cat /mnt/file", "of the host\n", extra_mounts=bind)


WRITE = "echo new > /data/1/canary && cat /data/1/canary"
READ_ONLY = "sh: can't create /data/1/canary: Read-only file system\n"


class WritablePaths(SandboxTest):
    def is_read_only(self, **config: object) -> None:
        code, out, err = self.shell(WRITE, **config)
        self.assertEqual((code, out, err), (1, b"", READ_ONLY.encode()))
        self.assertEqual((self.root / "data/1/canary").read_text(), "as it was\n")

    @each_backend(LINUX)
    def test_none_writable(self) -> None:
        self.is_read_only(filesystem_writable_paths="none")

    @each_backend(LINUX)
    def test_some_writable(self) -> None:
        self.prints(WRITE, "new\n", filesystem_writable_paths=["/data/1"])

    @each_backend()
    def test_all_writable(self) -> None:
        self.prints(WRITE, "new\n", filesystem_writable_paths="all")

    @each_backend(LINUX)
    def test_mount_point_not_writable(self) -> None:
        code, _, err = self.shell(
            "echo x > /data/file",
            filesystem_writable_paths="none",
            extra_mounts=[(None, "/data", "tmpfs")],
        )
        self.assertEqual((code, b"Read-only" in err), (1, True), err)

    @each_backend(LINUX)
    def test_mount_point_writable(self) -> None:
        self.prints(
            "echo x > /data/file; cat /data/file",
            "x\n",
            filesystem_writable_paths=["/data"],
            extra_mounts=[(None, "/data", "tmpfs")],
        )


class Choice(SandboxTest):
    def test_executor_for_platform(self) -> None:
        self.backend = sandboxlib.executor_for_platform()
        self.prints("echo xyzzy", "xyzzy\n")

    @each_backend()
    def test_degrade_config_for_capabilities(self) -> None:
        asked = {
            "mounts": "isolated",
            "network": "isolated",
            "filesystem_writable_paths": ["/tmp"],
        }
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            given = self.backend.degrade_config_for_capabilities(asked, warn=True)
        if self.backend is sandboxlib.chroot:
            self.assertEqual(
                given,
                {
                    "mounts": "undefined",
                    "network": "undefined",
                    "filesystem_writable_paths": "all",
                },
            )
            self.assertEqual(len(told), 3)
        else:
            self.assertEqual((given, told), (asked, []))
        self.assertEqual(self.shell("true", **given)[0], 0)
