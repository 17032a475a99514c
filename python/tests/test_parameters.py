"""What is promised of each parameter, and of what is returned."""

from __future__ import annotations

import errno
import io
import math
import os
import pickle
import sys
from pathlib import Path

import sandboxlib
from tests.support import IS_ROOT, LINUX, SandboxTest, each_backend, python


class Command(SandboxTest):
    @each_backend()
    def test_a_text_is_one_word(self) -> None:
        root = str(self.root)
        for command in ["true", b"true", Path("/bin/true")]:
            done = self.backend.run_sandbox(command, filesystem_root=root, env={"PATH": "/bin"})
            self.assertEqual(done, (0, b"", b""))
        with self.assertRaises(sandboxlib.ExecError) as caught:
            self.backend.run_sandbox("echo a", filesystem_root=root, env={"PATH": "/bin"})
        self.assertIn('"echo a"', str(caught.exception))

    @each_backend()
    def test_words_are_bytes_of_any_kind(self) -> None:
        words = ["printf", "%s|", "", "a b", "é", b"\xff\x01", "'\"\\", "\udcfe", Path("p")]
        done = self.backend.run_sandbox(words, env={"PATH": "/usr/bin:/bin"})
        said = "|a b|é|".encode() + b"\xff\x01|'\"\\|\xfe|p|"
        self.assertEqual(done, (0, said, b""))

    @each_backend()
    def test_the_exit_code_is_the_commands_own(self) -> None:
        for code in [1, 125, 126, 127, 255]:
            self.assertEqual(self.shell("exit %d" % code), (code, b"", b""))
        # As a shell has it.
        self.assertEqual(self.shell("kill -9 $$")[0], 137)


    @each_backend()
    def test_what_is_returned_knows_more_than_three_things(self) -> None:
        done = self.shell("echo a; kill -TERM $$")
        self.assertEqual((done.exit, done.out, done.err, done.signal), (143, b"a\n", b"", 15))
        self.assertGreater(done.usage["wall"], 0)
        code, out, err = pickle.loads(pickle.dumps(done))
        self.assertEqual((code, out, err), done)
        self.assertEqual((self.shell("exit 143").signal, len(done)), (None, 3))
        self.assertEqual(done.notes, [])
        if self.backend is sandboxlib.linux_user_chroot and not IS_ROOT:
            # It can have one of its own with processes of its own only.
            done = self.shell("true", extra_mounts=[(None, "/proc", "proc")])
            self.assertEqual([note["setting"] for note in done.notes], ["extra-mounts"])

    @each_backend()
    def test_more_words_than_a_kernel_takes(self) -> None:
        for command in [["true", "x" * (3 << 20)], ["true"] + ["y" * 1000] * 7000]:
            with self.assertRaises(sandboxlib.ExecError) as caught:
                self.backend.run_sandbox(command, filesystem_root=self.root, env={"PATH": "/bin"})
            self.assertEqual(caught.exception.errno, errno.E2BIG)
        words = ["sh", "-c", "echo $# ${#BIG}", "sh"] + ["w" * 500] * 2000
        env = {"PATH": "/bin", "BIG": "z" * 100_000}
        done = self.backend.run_sandbox(words, filesystem_root=self.root, env=env)
        self.assertEqual(done, (0, b"2000 100000\n", b""))


class Cwd(SandboxTest):
    @each_backend()
    def test_the_default_is_the_root_that_is_given(self) -> None:
        self.prints("pwd", "/\n")

    @each_backend()
    def test_the_default_is_the_callers_in_the_root_of_the_host(self) -> None:
        done = self.backend.run_sandbox(["pwd"])
        self.assertEqual(done, (0, os.fsencode(os.getcwd()) + b"\n", b""))

    @each_backend()
    def test_a_relative_one_is_taken_from_the_root(self) -> None:
        self.prints("pwd", "/data/2\n", cwd="data/2")
        self.prints("pwd", "/data\n", cwd=Path("data"))

    @each_backend()
    def test_one_that_is_not_there(self) -> None:
        with self.assertRaises(RuntimeError) as caught:
            self.shell("true", cwd="/no/such")
        text = str(caught.exception)
        self.assertTrue(text.startswith("Unable to set current working directory: "), text)
        self.assertIn("/no/such", text)


class Env(SandboxTest):
    @each_backend()
    def test_none_is_the_callers(self) -> None:
        os.environ["SANDBOXLIB_TEST_ENV"] = "inherited"
        self.addCleanup(os.environ.pop, "SANDBOXLIB_TEST_ENV")
        _, out, _ = self.backend.run_sandbox(["env"], env=None)
        self.assertIn(b"SANDBOXLIB_TEST_ENV=inherited\n", out)

    @each_backend()
    def test_it_is_replaced_whole(self) -> None:
        done = self.backend.run_sandbox(["/usr/bin/env"], env={})
        self.assertEqual(done, (0, b"", b""))
        env = {b"A": b"\xff", "B": "a=b\n", "C": ""}
        done = self.backend.run_sandbox(["/usr/bin/env"], env=env)
        self.assertEqual(done, (0, b"A=\xff\nB=a=b\n\nC=\n", b""))
        self.assertEqual(len(env), 3)

    @each_backend()
    def test_what_is_none(self) -> None:
        for env in [{"": "x"}, {"A=B": "x"}, {"A": "x\0"}]:
            with self.assertRaises(sandboxlib.ConfigError) as caught:
                self.shell("true", env=env)
            self.assertEqual(caught.exception.setting, "env")


class Root(SandboxTest):
    @each_backend()
    def test_relative_ones_and_odd_names(self) -> None:
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.directory)
        self.prints("echo /d*", "/data\n", filesystem_root="root")
        # Words of run-sandbox's own configuration.
        for name in ["host", "empty"]:
            os.rename("root", name)
            self.prints("echo /d*", "/data\n", filesystem_root=name)
            os.rename(name, "root")
        self.prints("echo /d*", "/data\n", filesystem_root=self.root)

    @each_backend()
    def test_one_that_is_not_there(self) -> None:
        for path in [self.directory / "none", self.source / "file"]:
            with self.assertRaises(sandboxlib.SetupError) as caught:
                self.shell("true", filesystem_root=path)
            self.assertEqual(caught.exception.setting, "root")
            text = str(caught.exception)
            self.assertTrue(text.startswith("Unable to chroot: ") and str(path) in text, text)


class WritablePaths(SandboxTest):
    WRITE = "for f in /x /data/x /data/1/x; do echo > $f && echo $f; done 2>&-; true"

    @each_backend(LINUX)
    def test_paths_are_relative_to_the_root_in_either_form(self) -> None:
        for path in ["data/1", "/data/1", Path("data/1"), b"/data/./1/"]:
            self.prints(self.WRITE, "/data/1/x\n", filesystem_writable_paths=[path])
        self.prints(self.WRITE, "/data/1/x\n", filesystem_writable_paths=("tmp", "data/1"))

    @each_backend(LINUX)
    def test_none_and_an_empty_list_are_read_only(self) -> None:
        for nothing in ["none", [], (), None]:
            self.prints(self.WRITE, "", filesystem_writable_paths=nothing)
        # The control.
        self.prints(self.WRITE, "/x\n/data/x\n/data/1/x\n", filesystem_writable_paths="all")

    @each_backend(LINUX)
    def test_they_hold_after_extra_mounts(self) -> None:
        mounts = [("tmpfs", "/new/deep", "tmpfs"), (str(self.source), "/mnt", None, "bind")]
        script = "echo > /new/deep/x && echo > /mnt/x && echo both"
        self.prints(
            script, "both\n", filesystem_writable_paths=["/new", "mnt"], extra_mounts=mounts
        )
        (self.source / "x").unlink()
        code, _, _ = self.shell(script, filesystem_writable_paths=["mnt"], extra_mounts=mounts)
        self.assertEqual((code, (self.source / "x").exists()), (1, False))

    @each_backend()
    def test_what_is_no_list(self) -> None:
        for wrong in ["some", b"all", "/data"]:
            with self.assertRaises(AssertionError):
                self.shell("true", filesystem_writable_paths=wrong)


class Types(SandboxTest):
    @each_backend()
    def test_a_value_of_a_wrong_type_is_an_error_before_anything_is_done(self) -> None:
        for name, setting, values in [
            ("cwd", "cwd", [3, ["/"], "\ud800"]),
            ("env", "env", [{"A": 1}, {2: "B"}, {"A": None}, [("A", "B")], "A=B"]),
            ("filesystem_root", "root", [None, 3]),
            ("filesystem_writable_paths", "writable", [3, True, [3], [None]]),
            ("timeout", "timeout", ["5", math.nan, True, [1], b"5"]),
        ]:
            for value in values:
                with self.assertRaises(sandboxlib.ConfigError, msg=(name, value)) as caught:
                    self.shell("touch /tmp/done", **{name: value})
                self.assertEqual(caught.exception.setting, setting)
                self.assertTrue(str(caught.exception).startswith(name + " is "), caught.exception)
        self.assertFalse((self.root / "tmp/done").exists())

    @each_backend()
    def test_no_end_is_no_time_out(self) -> None:
        for timeout in [None, math.inf, 1e300, 10**400, 60, 60.5]:
            self.prints("echo done", "done\n", timeout=timeout)


class MountsAndNetwork(SandboxTest):
    @each_backend()
    def test_other_values_are_assertion_errors(self) -> None:
        for name in ["mounts", "network"]:
            for value in ["shared", "", None, True, "Isolated"]:
                with self.assertRaises(AssertionError) as caught:
                    self.shell("true", **{name: value})
                self.assertIn(name, str(caught.exception))
                self.assertEqual(caught.exception.setting, name)

    @each_backend(LINUX)
    def test_isolated(self) -> None:
        for name in ["mnt", "net"]:
            link = "/proc/self/ns/" + name
            config = {"mnt": {"mounts": "isolated"}, "net": {"network": "isolated"}}[name]
            _, out, _ = self.backend.run_sandbox(["readlink", link], **config)
            self.assertNotEqual(out.decode().strip(), os.readlink(link))
        # The control.
        _, out, _ = self.backend.run_sandbox(["readlink", "/proc/self/ns/net"])
        self.assertEqual(out.decode().strip(), os.readlink("/proc/self/ns/net"))

    def test_chroot_takes_no_other_value(self) -> None:
        for config in [
            {"mounts": "isolated"},
            {"network": "isolated"},
            {"filesystem_writable_paths": ["/tmp"]},
            {"filesystem_writable_paths": "none"},
        ]:
            with self.assertRaises(AssertionError):
                self.shell("true", **config)


class Redirections(SandboxTest):
    SCRIPT = "echo out; echo err >&2"

    @each_backend()
    def test_both_captured(self) -> None:
        self.assertEqual(self.shell(self.SCRIPT), (0, b"out\n", b"err\n"))
        done = self.shell(
            self.SCRIPT, stdout=sandboxlib.CAPTURE, stderr=sandboxlib.CAPTURE
        )
        self.assertEqual(done, (0, b"out\n", b"err\n"))

    @each_backend()
    def test_none_discards(self) -> None:
        self.assertEqual(self.shell(self.SCRIPT, stdout=None), (0, None, b"err\n"))
        self.assertEqual(self.shell(self.SCRIPT, stderr=None), (0, b"out\n", None))

    @each_backend()
    def test_files_and_descriptors(self) -> None:
        log = self.directory / "log"
        with open(log, "ab") as file:
            file.write(b"before\n")
            done = self.shell(self.SCRIPT, stdout=file, stderr=sandboxlib.STDOUT)
            self.assertEqual(done, (0, None, None))
        with open(log, "a") as text:
            self.assertEqual(self.shell(self.SCRIPT, stderr=text.fileno()), (0, b"out\n", None))
        self.assertEqual(log.read_text(), "before\nout\nerr\nerr\n")

    @each_backend()
    def test_stderr_into_what_is_captured_in_order(self) -> None:
        script = "for i in 1 2 3; do echo $i; echo $i >&2; done"
        done = self.shell(script, stderr=sandboxlib.STDOUT)
        self.assertEqual(done, (0, b"1\n1\n2\n2\n3\n3\n", None))

    @each_backend()
    def test_what_is_no_stream(self) -> None:
        for wrong in [sandboxlib.STDOUT, -7]:
            with self.assertRaises(sandboxlib.ConfigError) as caught:
                self.shell("true", stdout=wrong)
            self.assertEqual(caught.exception.setting, "stdout")
        closed = open(os.devnull, "wb")
        closed.close()
        for wrong in [io.StringIO(), io.BytesIO(), closed, object(), "log"]:
            for name in ["stdout", "stderr"]:
                with self.assertRaises(sandboxlib.ConfigError) as caught:
                    self.shell("true", **{name: wrong})
                self.assertEqual(caught.exception.setting, name)
        with self.assertRaises(OSError):
            self.shell("true", stdout=987)

    @each_backend()
    def test_only_the_three_streams_get_in(self) -> None:
        secret = os.open(self.source / "file", os.O_RDONLY)
        self.addCleanup(os.close, secret)
        os.set_inheritable(secret, True)
        code, _, err = self.shell("cat <&%d" % secret)
        self.assertNotEqual(code, 0)
        self.assertIn(b"ad file descriptor", err)
        # What ls has opened is the fourth.
        self.prints("ls /proc/self/fd", "0\n1\n2\n3\n", extra_mounts=[(None, "/proc", "proc")])

    def test_standard_input(self) -> None:
        script = (
            "import sandboxlib, os, sys; r, w = os.pipe(); os.write(w, b'in'); os.close(w);"
            "os.dup2(r, 0); e = sandboxlib.get_executor(%r);"
            "print(e.run_sandbox(['cat'])[1])"
        )
        for backend in LINUX:
            self.assertEqual(python(script % backend), "b'in'\n")
        if IS_ROOT:
            self.assertEqual(python(script % "chroot"), "b''\n")

    def test_a_caller_without_streams(self) -> None:
        out = str(self.directory / "out")
        script = (
            "import sandboxlib, os; os.closerange(0, 3);"
            "done = sandboxlib.linux_user_chroot.run_sandbox("
            "    ['sh', '-c', 'echo out; echo err >&2; cat; exit 4']);"
            "open(%r, 'w').write(repr(done))" % out
        )
        self.assertEqual(python(script), "")
        self.assertEqual(Path(out).read_text(), "(4, b'out\\n', b'err\\n')")


class Ids(SandboxTest):
    def ids(self) -> bytes:
        return self.shell("echo $(id -u) $(id -g)")[1].strip()

    @each_backend(["chroot", "linux_user_chroot"])
    def test_the_callers_own(self) -> None:
        self.assertEqual(self.ids().decode(), "%d %d" % (os.geteuid(), os.getegid()))

    @each_backend(["bubblewrap"])
    def test_root_inside_for_bubblewrap(self) -> None:
        self.assertEqual(self.ids(), b"0 0")
        self.shell("touch /tmp/made")
        # The same user outside.
        self.assertEqual((self.root / "tmp/made").stat().st_uid, os.geteuid())


class Names(SandboxTest):
    def test_the_names_of_the_original_are_there(self) -> None:
        for name in [
            "CAPTURE", "STDOUT", "ProgramNotFound", "argv_to_string", "bubblewrap", "chroot",
            "degrade_config_for_capabilities", "executor_for_platform", "get_executor",
            "linux_user_chroot", "run_sandbox", "run_sandbox_with_redirection", "utils",
            "validate_extra_mounts",
        ]:
            self.assertTrue(hasattr(sandboxlib, name), name)
        for module in [sandboxlib.chroot, sandboxlib.linux_user_chroot, sandboxlib.bubblewrap]:
            for name in ["CAPABILITIES", "degrade_config_for_capabilities", "run_sandbox",
                         "run_sandbox_with_redirection"]:
                self.assertTrue(hasattr(module, name), name)
            self.assertFalse(hasattr(module, "no_such"))
        program = sandboxlib.run_sandbox_program()
        self.assertEqual(sandboxlib.linux_user_chroot.linux_user_chroot_program(), program)
        self.assertEqual(sandboxlib.bubblewrap.bubblewrap_program(), program)
        self.assertEqual(sandboxlib.argv_to_string(["a b", "c"]), "'a b' c")
        self.assertTrue(sandboxlib.utils.find_program("sh").endswith("/sh"))
        self.assertGreaterEqual(sys.version_info, (3, 9))

    def test_the_functions_of_the_package_are_those_for_the_platform(self) -> None:
        done = sandboxlib.run_sandbox(["echo", "x"], cwd="/")
        self.assertEqual(done, (0, b"x\n", b""))
        self.assertEqual(sandboxlib.run_sandbox_with_redirection("false"), 1)
        self.assertEqual(sandboxlib.degrade_config_for_capabilities({"cwd": "x"}), {"cwd": "x"})
