"""The original's parameters in the words of run-sandbox's configuration."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

from sandboxlib._errors import ConfigError

StrOrBytes = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
#: A text in JSON: itself where it is UTF-8, else the list of its bytes.
Text = Union[str, List[int]]


def text(value: StrOrBytes) -> Text:
    """A path, an argument or a variable as JSON has it."""
    raw = os.fsencode(value)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return list(raw)


def words(command: Union[StrOrBytes, Iterable[StrOrBytes]]) -> List[Text]:
    """A command line. A text is one word: nothing is split, there is no shell."""
    if isinstance(command, (str, bytes, os.PathLike)):
        return [text(command)]
    return [text(word) for word in command]


def environment(env: Optional[Mapping[Any, Any]]) -> Dict[str, Any]:
    """All of the caller's where there is none, else exactly this one."""
    if env is None:
        return {"inherit": "all"}
    pairs = [[text(name), text(value)] for name, value in env.items()]
    return {"inherit": "nothing", "set": pairs}


def root(path: StrOrBytes) -> Text:
    """A directory of the host; ``/`` is the host's root."""
    raw = os.fsencode(path)
    # "host" and "empty" are words of the configuration, and a directory may have such a name.
    return text(raw if raw.startswith(b"/") or not raw else b"./" + raw)


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
        return [text(path) for path in paths] or "nothing"
    raise ConfigError(
        "%r is an unsupported value for 'filesystem_writable_paths': give 'all', 'none' or a list "
        "of paths" % (paths,),
        setting="writable",
    )
