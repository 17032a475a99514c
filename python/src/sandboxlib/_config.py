"""The original's parameters in the words of run-sandbox's configuration."""

from __future__ import annotations

import errno
import math
import numbers
import os
from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

from sandboxlib._errors import ConfigError, SetupError

StrOrBytes = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
#: A text in JSON: itself where it is UTF-8, else the list of its bytes.
Text = Union[str, List[int]]


# The settings of run-sandbox that have another name here.
_PARAMETERS = {"root": "filesystem_root", "writable": "filesystem_writable_paths"}


def _wrong(value: Any, setting: str, expected: str) -> ConfigError:
    name = _PARAMETERS.get(setting, setting)
    return ConfigError("%s is %r: give %s" % (name, value, expected), setting=setting)


def _bytes(value: Any, setting: str) -> bytes:
    try:
        return os.fsencode(value)
    except (TypeError, UnicodeEncodeError):
        raise _wrong(value, setting, "str, bytes or a path") from None


def text(value: StrOrBytes, setting: str) -> Text:
    """A path, an argument or a variable as JSON has it; ConfigError where it is none of these."""
    raw = _bytes(value, setting)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return list(raw)


def words(command: Union[StrOrBytes, Iterable[StrOrBytes]]) -> List[Text]:
    """A command line. A text is one word: nothing is split, there is no shell."""
    if isinstance(command, (str, bytes, os.PathLike)):
        return [text(command, "command")]
    return [text(word, "command") for word in _each(command, "command", "a list of words")]


def _each(values: Any, setting: str, expected: str) -> Iterable[Any]:
    try:
        each: Iterable[Any] = iter(values)
    except TypeError:
        raise _wrong(values, setting, expected) from None
    return each


def environment(env: Optional[Mapping[Any, Any]]) -> Dict[str, Any]:
    """All of the caller's where there is none, else exactly this one."""
    if env is None:
        return {"inherit": "all"}
    if not isinstance(env, Mapping):
        raise _wrong(env, "env", "a dictionary of texts")
    pairs = [[text(name, "env"), text(value, "env")] for name, value in env.items()]
    return {"inherit": "nothing", "set": pairs}


def root(path: StrOrBytes) -> Text:
    """A directory of the host; ``/`` is the host's root."""
    raw = _bytes(path, "root")
    # run-sandbox takes a file for an image. What is not there at all it says itself.
    if raw and b"\0" not in raw and os.path.exists(raw) and not os.path.isdir(raw):
        raise SetupError(
            "Unable to chroot: %s: %s" % (os.fsdecode(raw), os.strerror(errno.ENOTDIR)),
            kind="setup",
            setting="root",
            errno=errno.ENOTDIR,
        )
    # "host" and "empty" are words of the configuration, and a directory may have such a name.
    return text(raw if raw.startswith(b"/") or not raw else b"./" + raw, "root")


def seconds(timeout: Any) -> Optional[float]:
    """A time-out; None where there is none, or no end to it."""
    if timeout is None:
        return None
    number = math.nan
    is_number = isinstance(timeout, numbers.Real) and not isinstance(timeout, bool)
    if is_number:
        try:
            number = float(timeout)
        except OverflowError:
            number = math.inf if timeout > 0 else -math.inf
    if math.isnan(number):
        raise _wrong(timeout, "timeout", "a number of seconds, or None")
    return None if number == math.inf else number


def writable(paths: Any) -> Union[str, List[Text]]:
    """``'all'``, ``'none'`` or a list of paths below the root."""
    if isinstance(paths, str):
        if paths == "all":
            return "all"
        if paths == "none":
            return "nothing"
    elif paths is None:
        return "nothing"
    elif not isinstance(paths, bytes):
        expected = "'all', 'none' or a list of paths"
        paths = _each(paths, "writable", expected)
        return [text(path, "writable") for path in paths] or "nothing"
    raise ConfigError(
        "%r is an unsupported value for 'filesystem_writable_paths': give 'all', 'none' or a list "
        "of paths" % (paths,),
        setting="writable",
    )
