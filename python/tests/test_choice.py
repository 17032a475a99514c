"""Capabilities, the choice of a backend, and of the program that does the work."""

from __future__ import annotations

import os
import warnings

import sandboxlib
from tests.support import BUSYBOX, LINUX, SandboxTest, each_backend, python

CHOOSE = "import sandboxlib; print(sandboxlib.executor_for_platform().__name__)"


class Capabilities(SandboxTest):
    def test_of_chroot(self) -> None:
        self.assertEqual(
            sandboxlib.chroot.CAPABILITIES,
            {"network": ["undefined"], "mounts": ["undefined"],
             "filesystem_writable_paths": ["all"]},
        )

    def test_of_the_linux_backends(self) -> None:
        for name in LINUX:
            self.assertEqual(
                sandboxlib.get_executor(name).CAPABILITIES,
                {"network": ["isolated", "undefined"], "mounts": ["isolated", "undefined"],
                 "filesystem_writable_paths": ["all", "any"]},
            )

    def test_nobody_elses_copy_counts(self) -> None:
        sandboxlib.chroot.CAPABILITIES["network"].append("isolated")
        self.assertEqual(sandboxlib.chroot.CAPABILITIES["network"], ["undefined"])

    @each_backend()
    def test_degrade_leaves_names_and_values_alone_that_it_does_not_know(self) -> None:
        asked = {"mounts": "undefined", "no_such": "isolated", "cwd": None}
        if self.backend is not sandboxlib.chroot:
            asked["network"] = "nat"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(self.backend.degrade_config_for_capabilities(asked), asked)
            self.assertEqual(self.backend.degrade_config_for_capabilities({}), {})

    def test_chroot_lowers_whatever_it_cannot_do(self) -> None:
        asked = {"network": "nat", "mounts": "x", "filesystem_writable_paths": "some"}
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            given = sandboxlib.chroot.degrade_config_for_capabilities(asked)
        self.assertEqual(
            given,
            {"network": "undefined", "mounts": "undefined", "filesystem_writable_paths": "all"})
        self.assertEqual(len(told), 3)
        self.assertEqual(
            str(told[1].message),
            "Unable to set network=nat in a chroot sandbox, falling back to network=undefined")


class Variable(SandboxTest):
    def test_it_wins_with_either_dash(self) -> None:
        for name, module in [
            ("chroot", "chroot"),
            ("bubblewrap", "bubblewrap"),
            ("linux_user_chroot", "linux_user_chroot"),
            ("linux-user-chroot", "linux_user_chroot"),
        ]:
            out = python(CHOOSE, SANDBOXLIB_BACKEND=name)
            self.assertEqual(out, "sandboxlib.%s\n" % module)

    def test_an_unknown_name_is_a_warning_and_detection_goes_on(self) -> None:
        out = python(CHOOSE, SANDBOXLIB_BACKEND="docker")
        self.assertIn(
            "UserWarning: SANDBOXLIB_BACKEND environment variable is set to an invalid value "
            "docker.", out)
        self.assertTrue(out.endswith("sandboxlib.linux_user_chroot\n"), out)

    def test_an_empty_one_is_none(self) -> None:
        self.assertEqual(python(CHOOSE, None, "-W", "error", SANDBOXLIB_BACKEND=""),
                         "sandboxlib.linux_user_chroot\n")

    def test_it_does_not_change_the_backend_that_is_called(self) -> None:
        script = "import sandboxlib; print(sandboxlib.bubblewrap.run_sandbox(['id', '-u'])[1])"
        self.assertEqual(python(script, SANDBOXLIB_BACKEND="chroot"), "b'0\\n'\n")


class Program(SandboxTest):
    FIND = (
        "import sandboxlib\n"
        "try: print(sandboxlib.run_sandbox_program())\n"
        "except sandboxlib.ProgramNotFound as error: print('none:', error)\n"
        "try: sandboxlib.linux_user_chroot.run_sandbox(['/bin/true']); print('ran')\n"
        "except sandboxlib.ProgramNotFound as error: print('none:', error)\n"
    )

    def test_the_one_that_is_named(self) -> None:
        program = sandboxlib.run_sandbox_program()
        out = python(self.FIND, SANDBOXLIB_RUN_SANDBOX=program, PATH="/no/such")
        self.assertEqual(out, program + "\nran\n")

    def test_the_first_on_path(self) -> None:
        folder = self.directory / "on path"
        folder.mkdir()
        (folder / "run-sandbox").symlink_to(sandboxlib.run_sandbox_program())
        path = "/no/such:%s:%s" % (folder, os.environ["PATH"])
        out = python(self.FIND, SANDBOXLIB_RUN_SANDBOX="", PATH=path)
        self.assertEqual(out, "%s/run-sandbox\nran\n" % folder)

    def test_none(self) -> None:
        out = python(self.FIND, SANDBOXLIB_RUN_SANDBOX="", PATH="/no/such")
        none = (
            "none: Did not find 'run-sandbox' in PATH. Searched '/no/such'. "
            "SANDBOXLIB_RUN_SANDBOX can name it\n"
        )
        self.assertEqual(out, 2 * none)
        out = python(self.FIND, SANDBOXLIB_RUN_SANDBOX="/etc/passwd")
        self.assertEqual(
            out, 2 * "none: SANDBOXLIB_RUN_SANDBOX is '/etc/passwd', which is no executable "
            "program\n")

    def test_one_that_is_something_else(self) -> None:
        script = (
            "import sandboxlib\n"
            "for run in (lambda: sandboxlib.chroot.CAPABILITIES,\n"
            "            lambda: sandboxlib.chroot.run_sandbox(['true'])):\n"
            "  try: print(run())\n"
            "  except sandboxlib.SandboxError as error: print(error.kind, error)\n"
        )
        out = python(script, SANDBOXLIB_RUN_SANDBOX="/bin/false")
        self.assertEqual(
            out,
            "host /bin/false --capabilities failed: \n"
            "host run-sandbox ended without a word of how it went\n",
        )


    def test_one_that_is_broken(self) -> None:
        program = self.directory / "broken"
        for text in ["exit 0", "echo '{'", "echo '[]'", "echo '{}'", "echo null", "printf '\\377'",
                     "echo '{\"backends\": [{\"name\": 1}]}'"]:
            program.write_text("#!%s sh\n%s\n" % (BUSYBOX, text))
            program.chmod(0o755)
            script = "import sandboxlib; print(sandboxlib.chroot.CAPABILITIES)"
            out = python(script, SANDBOXLIB_RUN_SANDBOX=str(program))
            self.assertIn("SandboxError: %s --capabilities said " % program, out)
        program.write_bytes(b"\x7fELF")
        out = python(script, SANDBOXLIB_RUN_SANDBOX=str(program))
        self.assertIn("SandboxError: cannot execute %s: " % program, out)
        # What it says to its status is no event.
        program.write_text("#!%s sh\neval \"echo x >&$4\"\n" % BUSYBOX)
        script = "import sandboxlib; sandboxlib.chroot.run_sandbox(['true'])"
        out = python(script, SANDBOXLIB_RUN_SANDBOX=str(program))
        self.assertIn("SandboxError: run-sandbox said what is no event: [b'x']", out)


class Validation(SandboxTest):
    def test_what_is_left_out_is_empty(self) -> None:
        validate = sandboxlib.validate_extra_mounts
        self.assertEqual(validate(None), [])
        self.assertEqual(validate([]), [])
        self.assertEqual(validate([(None, "/proc", "proc")]), [["", "/proc", "proc", ""]])
        self.assertEqual(
            validate(iter([("/c", "/t", None, "bind"), ["a", "b", "c", None]])),
            [["/c", "/t", "", "bind"], ["a", "b", "c", ""]],
        )

    def test_what_is_no_entry(self) -> None:
        for entry, text in [
            (("a", None, "tmpfs"), "Mount point empty in mount entry ('a', None, 'tmpfs')"),
            (("a", "", "tmpfs"), "Mount point empty in mount entry ('a', '', 'tmpfs')"),
            (("a", "/b"), "Invalid mount entry in 'extra_mounts': ('a', '/b')"),
            ((), "Invalid mount entry in 'extra_mounts': ()"),
            (("a", "b", "c", "d", "e"), "Invalid mount entry in 'extra_mounts': ('a', 'b', "),
            ("abc", "Invalid mount entry in 'extra_mounts': 'abc'"),
        ]:
            with self.assertRaises(AssertionError) as caught:
                sandboxlib.validate_extra_mounts([entry])
            self.assertTrue(str(caught.exception).startswith(text), caught.exception)

    @each_backend()
    def test_names_with_any_byte(self) -> None:
        name = os.fsdecode(b" a\tb\\040\n,\xff#\"'\xc3\xa9 ")
        source = self.directory / name
        source.mkdir()
        (source / "file").write_text("found\n")
        mounts = [(str(source), "/data/" + name, None, "bind")]
        script = "cat /data/*/file"
        self.prints(script, "found\n", extra_mounts=mounts)

    @each_backend()
    def test_types_that_are_none(self) -> None:
        for mount in [("a", "/mnt", "ext4"), ("a", "/mnt", "tmpfs", "no-such"), ("a", "/mnt", None)]:
            with self.assertRaises(AssertionError) as caught:
                self.shell("true", extra_mounts=[("t", "/tmp", "tmpfs"), mount])
            self.assertEqual(caught.exception.setting, "extra-mounts[1]")
            self.assertTrue(str(caught.exception).startswith("extra-mounts[1]: mount "))
