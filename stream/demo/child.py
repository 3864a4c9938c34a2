"""A child process whose life is tied to ours, also when we are killed.

No signal handler runs on SIGKILL, so the tie is a pipe: a small guard process holds the reading end and starts the child;
the kernel closes our end whenever and however we die, and the guard then stops the child. The normal stop takes the same
way, so it is tested with every run.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_GRACE_S = 3.0  # `deskpulse run` promises to stop everything within 5 s of Ctrl-C; the worker needs a part of them.

# Runs in a bare interpreter (-I -S: no site-packages), so that it starts in about 20 ms and imports nothing of ours.
_GUARD = """
import os, signal, subprocess, sys, threading
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
def stop_when_parent_is_gone():
    os.read(0, 1)
    child.terminate()
    try:
        child.wait(float(sys.argv[1]))
    except subprocess.TimeoutExpired:
        child.kill()
threading.Thread(target=stop_when_parent_is_gone, daemon=True).start()
sys.exit(min(abs(child.wait()), 255))
"""


class GuardedProcess:
    """A child process that ends when `stop` or `kill` is called or when this process is gone.

    The child gets a session of its own, so a Ctrl-C in the terminal reaches only us and we stop the child last.
    Standard output and error of the child are appended to `log`. POSIX only.
    """

    def __init__(
        self, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None, grace_s: float = STOP_GRACE_S
    ) -> None:
        """Starts `command` at once. Raises OSError when `log` cannot be written."""
        guard = [sys.executable, "-I", "-S", "-c", _GUARD, str(grace_s)]
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [*guard, *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=None if env is None else {**os.environ, **env},
                start_new_session=True,
            )
        self._grace_s = grace_s

    @property
    def running(self) -> bool:
        return self._guard.poll() is None

    @property
    def group(self) -> int:
        """The process group that holds the guard and the child."""
        return self._guard.pid

    def stop(self) -> None:
        """Asks the child to end, kills it after the grace period, and returns when it is gone. Safe to repeat."""
        assert self._guard.stdin is not None  # It was opened as a pipe.
        self._guard.stdin.close()
        try:
            self._guard.wait(self._grace_s + 2.0)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends the child by SIGKILL, as a crash would, and returns when it is gone. Safe to repeat."""
        if self.running:
            os.killpg(self._guard.pid, signal.SIGKILL)
        self._guard.wait()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
