"""One run of run-sandbox: the configuration goes in, events and captured output come out."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import socket
import subprocess
import tempfile
import time
from typing import IO, Any, Dict, List, Optional, Tuple, Union

from sandboxlib._errors import KilledError, SandboxError, TimeoutExpired, from_event
from sandboxlib._finished import Finished

#: Where a stream goes: a descriptor, or CAPTURE, STDOUT or DEVNULL of subprocess.
Stream = Union[int, None]

# How long run-sandbox may take to kill a sandbox and to remove what was made for it.
_GRACE = 30.0

_LONGEST_WAIT = 86400.0

_BEFORE_THE_END = ["started"]


def run(
    program: str,
    config: Dict[str, Any],
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    timeout: Optional[float],
) -> Finished:
    """Run the command of a configuration to its end."""
    with contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        with theirs, _file_of(json.dumps(config).encode("ascii")) as file:
            status = stack.enter_context(_above_streams(theirs.fileno(), "wb"))
            handed_over = stack.enter_context(_above_streams(file.fileno(), "rb"))
        descriptors = [handed_over.fileno(), status.fileno()]
        # run-sandbox watches our end of the socket: wherever this process ends, the sandbox does.
        process = subprocess.Popen(
            [program, "--config-fd", str(descriptors[0]), "--status-fd", str(descriptors[1])],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=descriptors,
        )
        try:
            status.close()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stack.enter_context(stream)
            reader = _Reader(ours, process, timeout)
            reader.read()
            process.wait()
        except BaseException:
            # Ctrl-C too: the sandbox ends first, and what was made for it is removed.
            _end(process, ours)
            raise
    return reader.outcome()


class _Reader:
    """Reads the events and both streams as they come, so that none blocks the others."""

    def __init__(
        self, status: socket.socket, process: "subprocess.Popen[bytes]", timeout: Optional[float]
    ) -> None:
        self.status = status
        self.process = process
        self.timeout = timeout
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.streams = [process.stdout, process.stderr]
        self.told = b""
        self.chunks: List[List[bytes]] = [[], []]

    def read(self) -> None:
        """Until the last event: by then all that could write has gone."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.status, selectors.EVENT_READ)
            for stream, chunks in zip(self.streams, self.chunks):
                if stream is not None:
                    os.set_blocking(stream.fileno(), False)
                    selector.register(stream, selectors.EVENT_READ, chunks)
            while self.status in selector.get_map() and not self._is_over():
                for key, _ in selector.select(self._remaining()):
                    some = _read(key.fd)
                    if some == b"":
                        selector.unregister(key.fileobj)
                    elif some is not None and key.data is None:
                        self.told += some
                    elif some is not None:
                        key.data.append(some)
        # What was written before the end is in the pipes. It is not their end that is waited for: a
        # process that another thread has forked may hold it open.
        for stream, chunks in zip(self.streams, self.chunks):
            while stream is not None:
                some = _read(stream.fileno())
                if not some:
                    break
                chunks.append(some)

    def _events(self) -> List[Dict[str, Any]]:
        """Those that have come whole."""
        lines = self.told[: self.told.rfind(b"\n") + 1].splitlines()
        try:
            return [json.loads(line) for line in lines]
        except ValueError:
            raise SandboxError("run-sandbox said what is no event: %r" % lines) from None

    def _is_over(self) -> bool:
        return any(event["event"] not in _BEFORE_THE_END for event in self._events())

    def _remaining(self) -> Optional[float]:
        if self.deadline is None or self.timeout is None:
            return None
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutExpired(self.timeout, *self._captured())
        # More than a selector takes is waited for in turns.
        return min(remaining, _LONGEST_WAIT)

    def _captured(self) -> Tuple[Optional[bytes], Optional[bytes]]:
        out, err = (
            None if stream is None else b"".join(chunks)
            for stream, chunks in zip(self.streams, self.chunks)
        )
        return out, err

    def outcome(self) -> Finished:
        """What the events say."""
        events = {event["event"]: event for event in self._events()}
        if "error" in events:
            raise from_event(events["error"])
        end = events.get("exited") or events.get("signaled")
        killed = "started" in events or (self.process.poll() or 0) < 0
        if end is None and killed:
            raise KilledError("run-sandbox was killed, and the sandbox with it", kind="killed")
        if end is None:
            raise SandboxError("run-sandbox ended without a word of how it went")
        signal = end.get("signal")
        # As a shell has it.
        code = int(end["status"]) if signal is None else 128 + int(signal)
        finished = Finished(code, *self._captured())
        finished.signal = signal
        finished.usage = end["usage"]
        finished.notes = events["started"]["notes"]
        return finished


def _read(fd: int) -> Optional[bytes]:
    """What is there: nothing at the end, None where it may still come."""
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""


def _end(process: "subprocess.Popen[bytes]", status: socket.socket) -> None:
    """Have the sandbox killed, whoever else has a copy of our end of the socket."""
    try:
        with contextlib.suppress(OSError):
            status.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    finally:
        process.kill()
        process.wait()


def _file_of(content: bytes) -> IO[bytes]:
    """A file without a name: the environment, secrets included, is not written to any disk."""
    if hasattr(os, "memfd_create"):
        file: IO[bytes] = os.fdopen(os.memfd_create("sandboxlib-config"), "w+b")
    else:
        file = tempfile.TemporaryFile()
    file.write(content)
    file.seek(0)
    return file


def _above_streams(fd: int, mode: str) -> IO[bytes]:
    """A copy that redirections cannot meet: who has closed its streams gets their numbers."""
    return open(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3), mode, buffering=0)
