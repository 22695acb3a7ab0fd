"""Child processes that are certain to end: each in a group of its own, and on a leash that the kernel pulls."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from chimeway_py.embedded.accounts import Account

LEASH = Path(__file__).with_name("leash.py")


class DidNotStart(Exception):
    """A child ended before it was ready, or was not ready in time. The message holds the end of its log."""


class Child:
    """One program and whatever it starts. Linux ends it with the thread that started it, so let that be the main one.

    `log` receives its output (appended; without it the output is ours), `stop_signal` asks it to end in good order,
    `listener` is a socket that it inherits.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
        account: Account | None = None,
        listener: socket.socket | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.env = env
        self.cwd = cwd
        self.log = log
        self.account = account
        self.listener = listener
        self.stop_signal = stop_signal
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self, feed: bytes = b"") -> None:
        """Start the program and return at once; `feed` is what it reads from standard input."""
        program = shutil.which(self.command[0]) or self.command[0]
        owner = (self.account.uid, self.account.gid) if self.account else (-1, -1)
        leash = [sys.executable, "-I", "-S", LEASH, os.getpid(), self.stop_signal.value, *owner, program]
        output = self.log.open("ab") if self.log else None
        self._popen = subprocess.Popen(
            [str(part) for part in leash] + self.command[1:],
            env=dict(self.env) if self.env is not None else None,
            cwd=self.cwd,
            pass_fds=[self.listener.fileno()] if self.listener else [],
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )
        if output:
            output.close()
        if self._popen.stdin:
            with self._popen.stdin as pipe, suppress(BrokenPipeError):
                pipe.write(feed)

    @property
    def pid(self) -> int:
        """Process id, and id of the process group. Raises RuntimeError before the first start."""
        if self._popen is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Whether the program itself (not only something it left behind) is alive."""
        return self._popen is not None and self._popen.returncode is None and not self._has_ended()

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs or was never started."""
        if self._popen is None or self.is_running:
            return None
        self._clear_group()
        return self._popen.wait()

    def stop(self, grace: float = 10.0) -> None:
        """Ask the program to end, wait up to `grace` seconds, then end all it started. Stopping twice is harmless."""
        self.ask_to_stop()
        self.wait(grace)
        self.kill()

    def ask_to_stop(self) -> None:
        """Send the stop signal to the program alone (its own children would take it as an order of their own)."""
        self.signal(self.stop_signal)

    def signal(self, number: signal.Signals) -> None:
        """Send one signal to the program if it still runs."""
        if self.is_running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to the whole group, now."""
        if self._popen is None or self._popen.returncode is not None:
            return
        self._clear_group()
        self._popen.wait()

    def wait(self, seconds: float) -> bool:
        """Wait until the program ended, at most so long; False if it still runs."""
        deadline = time.monotonic() + seconds
        while self.is_running:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def log_tail(self, lines: int = 20) -> str:
        """The end of its log, for a message to a person."""
        if self.log is None or not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _has_ended(self) -> bool:
        # WNOWAIT leaves a zombie, so the group id cannot be given to somebody else before the group is cleared
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
        except ChildProcessError:  # another thread has just collected it
            return True

    def _clear_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
