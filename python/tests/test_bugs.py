"""The faults that the original has: each test shows what is right."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, Dict, List

import sandboxlib
from tests.support import BUSYBOX, IS_ROOT, LINUX, SandboxTest, each_backend, python

MEGABYTES = 3


class Bugs(SandboxTest):
    @each_backend()
    def test_bug_05_output_of_any_size_does_not_block(self) -> None:
        size = MEGABYTES << 20
        half = size // 2
        # Either one first, more than a pipe holds.
        script = "for i in 1 2; do head -c %d /z >&2; head -c %d /z; done" % (half, half)
        with open(self.root / "z", "wb") as file:
            file.write(b"z" * size)
        code, out, err = self.shell(script)
        self.assertEqual((code, len(out), len(err)), (0, size, size))
        code, out, err = self.shell(script, stderr=sandboxlib.STDOUT)
        self.assertEqual((code, len(out), err), (0, 2 * size, None))
        self.assertEqual(self.shell(script, stdout=None)[1:], (None, b"z" * size))

    def test_bug_06_importing_writes_nothing_and_leaves_logging_alone(self) -> None:
        script = (
            "import logging; before = repr(vars(logging.root)), list(logging.root.manager.loggerDict);"
            "import sandboxlib, sys;"
            "assert before == (repr(vars(logging.root)), list(logging.root.manager.loggerDict));"
            "logging.basicConfig(level=logging.DEBUG, stream=sys.stdout);"
            "logging.debug('control');"
            "sandboxlib.linux_user_chroot.run_sandbox(['true'], env={'TOKEN': 'a secret'})"
        )
        empty = self.directory / "empty"
        empty.mkdir()
        self.assertEqual(python(script, str(empty)), "DEBUG:root:control\n")
        self.assertEqual(list(empty.iterdir()), [])

    def test_bug_06_the_environment_is_in_no_argument_list(self) -> None:
        seen = "cat /proc/[0-9]*/cmdline"
        _, out, _ = self.shell_of_the_host(seen, env={"PATH": os.environ["PATH"], "T": "a s3cret"})
        self.assertIn(seen.encode(), out)
        self.assertNotIn(b"a s3cret", out)

    def shell_of_the_host(self, script: str, **config: Any) -> Any:
        return sandboxlib.linux_user_chroot.run_sandbox(["sh", "-c", script], **config)

    def test_bug_07_the_message_has_its_values(self) -> None:
        with self.assertRaises(AssertionError) as caught:
            sandboxlib.utils.check_parameter("network", "nat", ["isolated", "undefined"])
        self.assertEqual(
            str(caught.exception),
            "'nat' is an unsupported value for 'network' in this backend. "
            "Supported values: isolated, undefined",
        )
        sandboxlib.utils.check_parameter("network", "isolated", ["isolated", "undefined"])

    def test_bug_08_only_backends_are_executors(self) -> None:
        for name in ["chroot", "linux_user_chroot", "linux-user-chroot", "bubblewrap"]:
            self.assertTrue(callable(sandboxlib.get_executor(name).run_sandbox))
        for name in ["logging", "os", "utils", "CAPTURE", "run_sandbox", "no-such", "", "_run"]:
            with self.assertRaises(KeyError) as caught:
                sandboxlib.get_executor(name)
            self.assertIn(
                "%s is not a known executor in this version of 'sandboxlib'."
                % name.replace("-", "_"),
                str(caught.exception),
            )

    def test_bug_09_values_are_checked_without_assertions_too(self) -> None:
        script = (
            "import sandboxlib\n"
            "assert False\n"
            "try: sandboxlib.linux_user_chroot.run_sandbox(['true'], network='nat')\n"
            "except AssertionError as error: print(type(error).__name__)\n"
        )
        self.assertEqual(python(script, None, "-O"), "ConfigError\n")

    def test_bug_10_no_module_that_is_gone_from_newer_pythons(self) -> None:
        script = (
            "import sys\n"
            "for name in ['pipes', 'imp', 'distutils', 'pkg_resources']: sys.modules[name] = None\n"
            "import sandboxlib; print(sandboxlib.argv_to_string(['a', 'b c']))"
        )
        self.assertEqual(python(script, None, "-W", "error"), "a 'b c'\n")

    @each_backend()
    def test_bug_11_bind_is_known_by_its_value(self) -> None:
        option = "".join(["b", "in", "d"])
        self.assertIsNot(option, "bind")
        mounts = [(str(self.source), "/mnt", None, option)]
        self.prints("cat /mnt/file", "of the host\n", extra_mounts=mounts)

    @each_backend(LINUX)
    def test_bug_11_the_callers_values_are_left_alone(self) -> None:
        paths = ["/data/1"]
        mounts = [(str(self.source), "/mnt", None, "bind"), ("t", "t", "tmpfs")]
        config: Dict[str, Any] = {
            "filesystem_root": str(self.root),
            "filesystem_writable_paths": paths,
            "extra_mounts": mounts,
            "env": {"PATH": "/bin"},
        }
        before = repr(config)
        self.assertEqual(self.backend.run_sandbox(["true"], **config)[0], 0)
        self.assertEqual(repr(config), before)
        config["filesystem_writable_paths"] = "all"
        self.assertEqual(self.backend.run_sandbox(["true"], **config)[0], 0)

    @each_backend()
    def test_bug_12_mounts_are_made_in_order_and_each_of_them(self) -> None:
        other = self.directory / "other"
        other.mkdir()
        (other / "file").write_text("another\n")
        first = (str(self.source), "/mnt", None, "bind")
        second = (str(other), "/mnt", None, "bind")
        self.prints("cat /mnt/file", "another\n", extra_mounts=[first, second])
        self.prints("cat /mnt/file", "of the host\n", extra_mounts=[second, first])
        below = ("t", "/mnt/sub", "tmpfs")
        (self.source / "sub").mkdir()
        (other / "sub").mkdir()
        self.prints("cat /mnt/file; > /mnt/sub/x; ls /mnt/sub", "of the host\nx\n",
                    extra_mounts=[first, below])
        # Covered by what comes later.
        self.prints("ls /mnt /mnt/sub", "/mnt:\nfile\nsub\n\n/mnt/sub:\n",
                    extra_mounts=[below, second])

    @each_backend()
    def test_bug_12_options_of_mounts_count(self) -> None:
        bind = [(str(self.source), "/mnt", "", "bind,ro")]
        code, _, err = self.shell("cat /mnt/file; echo > /mnt/file", extra_mounts=bind)
        self.assertEqual((code, b"Read-only" in err), (1, True), err)
        tmpfs = [("t", "/mnt", "tmpfs", "size=64k")]
        code, _, err = self.shell("dd if=/bin/busybox of=/mnt/f bs=1M", extra_mounts=tmpfs)
        self.assertEqual((code, b"No space left" in err), (1, True), err)

    @each_backend(LINUX)
    def test_bug_12_a_writable_bind_shows_its_source(self) -> None:
        (self.root / "data/file").write_text("of the tree\n")
        bind = [(str(self.source), "/data", None, "bind")]
        self.prints("cat /data/file", "of the host\n", extra_mounts=bind,
                    filesystem_writable_paths=["/data"])
        tmpfs = [("t", "/data", "tmpfs")]
        self.prints("ls /data", "", extra_mounts=tmpfs, filesystem_writable_paths=["/data"])

    @each_backend()
    def test_bug_13_targets_stay_inside(self) -> None:
        outside = self.directory / "outside"
        outside.mkdir()
        (self.root / "link").symlink_to(outside)
        (self.root / "up").symlink_to("../../../../../..")
        before = sorted(self.directory.iterdir())
        for target in ["/link/made", "/../outside/made", "/up" + str(outside) + "/made"]:
            try:
                code, _, _ = self.shell("true", extra_mounts=[("t", target, "tmpfs")])
                self.assertEqual(code, 0)
            except sandboxlib.SetupError:
                pass
            self.assertEqual(list(outside.iterdir()), [], target)
        self.assertEqual(sorted(self.directory.iterdir()), before)

    @each_backend()
    def test_bug_13_targets_are_made_of_the_right_kind_and_removed(self) -> None:
        before = self.paths()
        file = (str(self.source / "file"), "/made/here/file", None, "bind")
        tmpfs = ("t", "relative/to/the/root", "tmpfs")
        self.prints(
            "cat /made/here/file; > /relative/to/the/root/x; ls /relative/to/the/root",
            "of the host\nx\n",
            extra_mounts=[file, tmpfs],
        )
        self.assertEqual(self.paths(), before)
        (self.root / "dangling").symlink_to("/nowhere")
        before = self.paths()
        try:
            self.shell("true", extra_mounts=[("t", "/dangling", "tmpfs")])
        except sandboxlib.SetupError as error:
            self.assertIn("/dangling", str(error))
        self.assertEqual(self.paths(), before)

    @each_backend(LINUX)
    def test_bug_16_all_but_the_writable_paths_is_read_only(self) -> None:
        (self.root / "a").mkdir()
        (self.root / "ab").mkdir()
        script = "for d in / /a /ab /data /data/1 /data/2; do > $d/x && echo $d; done 2>&-; true"
        self.prints(script, "/a\n/data/1\n", filesystem_writable_paths=["/a", "data/1"])

    @each_backend(LINUX)
    def test_bug_16_a_writable_path_that_is_missing_is_an_error(self) -> None:
        with self.assertRaises(sandboxlib.SetupError) as caught:
            self.shell("true", filesystem_writable_paths=["/no/such"])
        self.assertEqual(caught.exception.setting, "writable")
        self.assertIn("/no/such", str(caught.exception))

    @each_backend(LINUX)
    def test_bug_16_trees_and_lists_of_any_size(self) -> None:
        for number in range(3000):
            (self.root / "data" / ("d%d" % number)).mkdir()
        self.prints("echo x > /data/1/canary", "", filesystem_writable_paths=["/data/1"])
        paths = ["/data/d%d" % number for number in range(0, 3000, 2)]
        code, out, _ = self.shell(
            "> /data/d2998/x; > /data/d2999/x || echo no", filesystem_writable_paths=paths
        )
        self.assertEqual((code, out), (0, b"no\n"))

    @each_backend(LINUX)
    def test_bug_16_a_tmpfs_twice_on_one_target(self) -> None:
        mounts = [("t", "/mnt", "tmpfs"), ("t", "/mnt", "tmpfs")]
        self.prints("> /mnt/x; ls /mnt", "x\n", extra_mounts=mounts)

    @each_backend()
    def test_bug_17_descriptor_0_is_a_descriptor(self) -> None:
        script = (
            "import sandboxlib, os; os.dup2(os.open(%r, os.O_RDWR | os.O_CREAT), 0);"
            "e = sandboxlib.get_executor(%r);"
            "print(e.run_sandbox(['sh', '-c', 'echo a; echo b >&2'], stdout=0, stderr=0))"
        )
        log = self.directory / "zero"
        out = python(script % (str(log), self.backend.__name__.rpartition(".")[2]))
        self.assertEqual((out, log.read_text()), ("(0, None, None)\n", "a\nb\n"))

    @each_backend()
    def test_bug_17_descriptor_1_is_a_descriptor(self) -> None:
        script = (
            "import sandboxlib; e = sandboxlib.get_executor(%r);"
            "print('first'); import sys;"
            "print(e.run_sandbox(['echo', 'a'], stdout=sys.stdout)); sys.stdout.flush();"
            "print(e.run_sandbox(['echo', 'b'], stdout=1, stderr=2))"
        )
        out = python(script % self.backend.__name__.rpartition(".")[2])
        self.assertEqual(out, "first\na\n(0, None, b'')\nb\n(0, None, None)\n")

    @each_backend()
    def test_bug_19_degrade_returns_a_copy(self) -> None:
        asked = {"network": "isolated", "cwd": "/x", "unknown": [1]}
        given = self.backend.degrade_config_for_capabilities(asked, warn=False)
        self.assertIsNot(given, asked)
        given["cwd"] = "/y"
        self.assertEqual(asked, {"network": "isolated", "cwd": "/x", "unknown": [1]})
        self.assertEqual(given["unknown"], [1])

    def test_bug_20_a_name_on_path_is_not_taken_for_a_backend_that_works(self) -> None:
        fakes = self.directory / "fakes"
        fakes.mkdir()
        for name in ["bwrap", "linux-user-chroot"]:
            (fakes / name).write_text("#!%s sh\nexit 1\n" % BUSYBOX)
            (fakes / name).chmod(0o755)
        script = (
            "import sandboxlib; e = sandboxlib.executor_for_platform();"
            "print(e.__name__, e.run_sandbox(['echo', 'x']))"
        )
        path = "%s:%s" % (fakes, os.environ["PATH"])
        out = python(script, None, PATH=path, SANDBOXLIB_BACKEND="")
        self.assertEqual(out, "sandboxlib.linux_user_chroot (0, b'x\\n', b'')\n")

    def test_bug_20_what_the_host_does_not_let_it_give_is_no_capability(self) -> None:
        if not IS_ROOT:
            self.skipTest("only root can take a host's namespaces away")
        script = (
            "import sandboxlib; print(sandboxlib.executor_for_platform().__name__);"
            "print(sandboxlib.linux_user_chroot.CAPABILITIES['network']);"
            "c = {'network': 'isolated'};"
            "print(sandboxlib.linux_user_chroot.degrade_config_for_capabilities(c, warn=False))"
        )
        # In a user namespace of its own, whose limits are its own.
        limit = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$0\" \"$@\""
        inside = ["unshare", "-Ur", "sh", "-c", limit, sys.executable, "-c", script]
        path = os.path.dirname(os.path.dirname(sandboxlib.__file__))
        done = subprocess.run(inside, env={**os.environ, "PYTHONPATH": path},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if b"unshare:" in done.stdout or b"sh:" in done.stdout:
            self.skipTest("no user namespace of its own: %r" % done.stdout)
        said: List[str] = done.stdout.decode().splitlines()
        self.assertEqual(said[0], "sandboxlib.linux_user_chroot", said)
        self.assertEqual(said[1:], ["['undefined']", "{'network': 'undefined'}"], said)


class Warned(SandboxTest):
    def test_a_step_down_is_a_warning_in_the_words_of_the_original(self) -> None:
        asked = {"network": "isolated", "filesystem_writable_paths": ["/a"]}
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            sandboxlib.chroot.degrade_config_for_capabilities(asked)
            sandboxlib.chroot.degrade_config_for_capabilities(asked, warn=False)
        self.assertEqual(
            [str(one.message) for one in told],
            [
                "Unable to set network=isolated in a chroot sandbox, falling back to "
                "network=undefined",
                "Unable to set filesystem_writable_paths=['/a'] in a chroot sandbox, falling back "
                "to filesystem_writable_paths=all",
            ],
        )
        self.assertEqual(Path(told[0].filename).name, "test_bugs.py")
