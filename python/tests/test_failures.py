"""Failures are exceptions, never the exit status of a command; and nothing is left of any run."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable

import sandboxlib
from tests.support import IS_ROOT, LINUX, SandboxTest, each_backend

# How long the processes of this run sleep, to tell them from those of another run.
OURS = 1000 + os.getpid() % 8000


class Kinds(SandboxTest):
    @each_backend()
    def test_a_command_that_is_not_there(self) -> None:
        with self.assertRaises(sandboxlib.ExecError) as caught:
            self.backend.run_sandbox(["no-such"], filesystem_root=self.root)
        self.assertEqual((caught.exception.kind, caught.exception.errno), ("exec", 2))
        with self.assertRaises(sandboxlib.ExecError) as caught:
            self.backend.run_sandbox(["/data"], filesystem_root=self.root)
        self.assertEqual(caught.exception.errno, 13)
        # The same numbers from a command are its own.
        self.assertEqual(self.shell("exit 127")[0], 127)

    @each_backend()
    def test_words_that_are_none(self) -> None:
        for command in [[], [""], "", ["a\0b"], [b"\0"], [1], 1]:
            with self.assertRaises(sandboxlib.ConfigError) as caught:
                self.backend.run_sandbox(command, filesystem_root=self.root)
            self.assertEqual((caught.exception.kind, caught.exception.setting),
                             ("config", "command"))
        with self.assertRaises(TypeError):
            self.backend.run_sandbox(["true"], no_such_parameter=1)

    @each_backend()
    def test_a_mount_that_cannot_be_made(self) -> None:
        before = self.paths()
        with self.assertRaises(sandboxlib.SetupError) as caught:
            self.shell("true", extra_mounts=[
                ("t", "/made/before", "tmpfs"), ("/no/such", "/mnt", None, "bind")])
        error = caught.exception
        self.assertEqual((error.kind, error.setting, error.errno), ("setup", "extra-mounts", 2))
        self.assertIn("/no/such", error.step or "")
        self.assertEqual(self.paths(), before)

    def test_what_the_caller_may_not_do(self) -> None:
        if IS_ROOT:
            self.skipTest("root may")
        with self.assertRaises(sandboxlib.UnsupportedError) as caught:
            sandboxlib.chroot.run_sandbox(["true"])
        self.assertIsInstance(caught.exception, RuntimeError)
        self.assertEqual(caught.exception.kind, "unsupported")
        self.assertEqual({one["obstacle"] for one in caught.exception.unmet}, {"privilege"})
        self.assertIn("root", str(caught.exception))

    @each_backend()
    def test_a_time_out(self) -> None:
        before = self.paths()
        with self.assertRaises(sandboxlib.TimeoutExpired) as caught:
            script = "trap '' TERM INT; echo begun; sleep %d; echo not reached" % OURS
            self.shell(script, timeout=1.5, extra_mounts=[("t", "/made", "tmpfs")])
        error = caught.exception
        self.assertEqual((error.kind, error.timeout, error.stderr), ("timeout", 1.5, b""))
        # On a machine that is busy it may not have come so far.
        self.assertIn(error.stdout, [b"begun\n", b""])
        self.assertEqual(running("sleep", str(OURS)), [])
        self.assertEqual(self.paths(), before)
        self.prints("echo done", "done\n", timeout=60)


def running(*words: str) -> "list[str]":
    """The processes with this command line."""
    wanted = "\0".join(words).encode() + b"\0"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes() == wanted:
                found.append(process.name)
        except OSError:
            pass
    return found


def soon(is_so: Callable[[], object]) -> bool:
    """Whether it becomes so; long enough for a busy machine."""
    end = time.monotonic() + 30
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Copies(SandboxTest):
    """Exceptions go from one process to another: those of a pool, or a test runner's."""

    def test_every_exception_survives_pickle_and_copy(self) -> None:
        details = {"setting": "cwd", "step": "go there", "errno": 2, "unmet": [{"backend": "x"}]}
        errors: "list[Exception]" = [
            sandboxlib.ProgramNotFound("none"),
            sandboxlib.SandboxError("failed", kind="host", **details),
            sandboxlib.ConfigError("wrong", **details),
            sandboxlib.UnsupportedError("cannot", kind="unsupported", **details),
            sandboxlib.SetupError("not made", kind="setup", **details),
            sandboxlib.ExecError("not there", kind="exec", **details),
            sandboxlib.KilledError("killed", kind="killed"),
            sandboxlib.TimeoutExpired(1.5, b"out", None),
        ]
        exported = (getattr(sandboxlib, name) for name in sandboxlib.__all__)
        classes = {one for one in exported
                   if isinstance(one, type) and issubclass(one, Exception)}
        self.assertEqual({type(error) for error in errors}, classes)
        for error in errors:
            through = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)]
            for other in [*through, copy.copy(error), copy.deepcopy(error)]:
                self.assertIs(type(other), type(error))
                self.assertIsNot(other, error)
                self.assertEqual(str(other), str(error))
                self.assertEqual(other.args, error.args)
                self.assertEqual(vars(other), vars(error))


class Ends(SandboxTest):
    """Bug 18: whatever ends the caller ends all that runs in the sandbox."""

    def start(self, ending: str) -> "subprocess.Popen[bytes]":
        backend = self.backend.__name__.rpartition(".")[2]
        script = (
            "import sandboxlib, sys\n"
            "e = sandboxlib.get_executor(%r)\n"
            "try: e.run_sandbox(['sh', '-c', %r], filesystem_root=%r, env={'PATH': '/bin'},\n"
            "                   extra_mounts=[('t', '/made/here', 'tmpfs')])\n"
            "except BaseException as error: print(type(error).__name__); raise SystemExit(5)\n"
        )
        inside = "trap '' TERM INT HUP; sleep %d; %s" % (OURS, ending)
        path = os.path.dirname(os.path.dirname(sandboxlib.__file__))
        caller = subprocess.Popen(
            [sys.executable, "-c", script % (backend, inside, str(self.root))],
            env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, start_new_session=True,
        )
        self.addCleanup(caller.stdout.close)  # type: ignore[union-attr]
        self.addCleanup(caller.wait)
        self.addCleanup(caller.kill)
        self.assertTrue(soon(lambda: running("sleep", str(OURS))), "it runs")
        return caller

    @each_backend()
    def test_bug_18_ctrl_c(self) -> None:
        before = self.paths()
        caller = self.start("")
        # As a terminal does: to run-sandbox and the command, too, which does not care.
        os.killpg(caller.pid, signal.SIGINT)
        out, _ = caller.communicate(timeout=60)
        self.assertEqual((caller.returncode, out), (5, b"KeyboardInterrupt\n"))
        # It is all gone by the time that the caller sees the exception.
        self.assertEqual(running("sleep", str(OURS)), [])
        self.assertEqual(self.paths(), before)

    @each_backend()
    def test_bug_18_the_caller_is_killed(self) -> None:
        before = self.paths()
        caller = self.start("sleep %d" % OURS)
        caller.kill()
        caller.wait(60)
        self.assertTrue(soon(lambda: not running("sleep", str(OURS))))
        self.assertTrue(soon(lambda: self.paths() == before))

    @each_backend(LINUX)
    def test_somebody_kills_run_sandbox(self) -> None:
        caller = self.start("")
        children = Path("/proc/%d/task/%d/children" % (caller.pid, caller.pid)).read_text()
        os.kill(int(children.split()[0]), signal.SIGKILL)
        out, _ = caller.communicate(timeout=60)
        self.assertEqual((caller.returncode, out), (5, b"KilledError\n"))
        self.assertTrue(soon(lambda: not running("sleep", str(OURS))))
        # Nobody is left who could remove it.
        (self.root / "made/here").rmdir()

    @each_backend()
    def test_what_the_command_leaves_behind_ends_with_it(self) -> None:
        # It holds the output open.
        dev = [("dev", "/dev", "dev")]
        code, out, _ = self.shell("sleep %d & echo done" % OURS, extra_mounts=dev)
        self.assertEqual((code, out), (0, b"done\n"))
        self.assertEqual(running("sleep", str(OURS)), [])

    @each_backend()
    def test_many_at_once(self) -> None:
        done = []

        def run(number: int) -> None:
            done.append(self.shell("head -c 300000 /z; echo %d >&2" % number))

        (self.root / "z").write_bytes(b"z" * 300_000)
        threads = [threading.Thread(target=run, args=[number]) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(sorted(err for _, _, err in done), [b"%d\n" % n for n in range(8)])
        self.assertEqual({(code, len(out)) for code, out, _ in done}, {(0, 300_000)})

    @each_backend()
    def test_no_descriptor_is_left(self) -> None:
        before = os.listdir("/proc/self/fd")
        for _ in range(3):
            self.shell("true")
            try:
                self.shell("true", cwd="/no/such")
            except sandboxlib.SetupError:
                pass
        self.assertEqual(os.listdir("/proc/self/fd"), before)
