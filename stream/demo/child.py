"""A child process whose life is tied to ours, also when we are killed.

No signal handler runs on SIGKILL, so the tie is a pipe: a small guard process holds the reading end and starts the
child; the kernel closes our end whenever and however we die, and the guard then stops the child. The normal stop takes
the same way, so it is tested with every run.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# The guard. A byte on the pipe means SIGKILL at once, the pipe's end means SIGTERM and SIGKILL after the grace period.
# It runs in a bare interpreter (-I -S: no site-packages), so that it starts in about 20 ms and imports nothing of ours.
_GUARD = """
import os, subprocess, sys, threading
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
def end_on_word_or_end_of_parent():
    if os.read(0, 1):
        child.kill()
    child.terminate()
    try:
        child.wait(float(sys.argv[1]))
    except subprocess.TimeoutExpired:
        child.kill()
threading.Thread(target=end_on_word_or_end_of_parent, daemon=True).start()
sys.exit(min(abs(child.wait()), 255))
"""


class GuardedProcess:
    """A child process that ends when `stop` or `kill` is called or when this process is gone.

    The child gets a session of its own, so a Ctrl-C in the terminal reaches only us and we stop the child last.
    Standard output and error of the child are appended to `log`. POSIX only.
    """

    def __init__(self, command: Sequence[str | Path], log: Path, *, grace_s: float) -> None:
        """Start `command` at once. Raises OSError when `log` cannot be written."""
        guard = [sys.executable, "-I", "-S", "-c", _GUARD, str(grace_s)]
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [*guard, *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._grace_s = grace_s

    @property
    def running(self) -> bool:
        """Whether the child has not ended yet."""
        return self._guard.poll() is None

    @property
    def group(self) -> int:
        """The process group that holds the guard and the child."""
        return self._guard.pid

    def stop(self) -> None:
        """Ask the child to end, kill it after the grace period, and return when it is gone. Safe to repeat."""
        self._end(word=b"")

    def kill(self) -> None:
        """End the child by SIGKILL, as a crash would, and return when it is gone. Safe to repeat."""
        self._end(word=b"k")

    def _end(self, word: bytes) -> None:
        assert self._guard.stdin is not None  # It was opened as a pipe.
        with contextlib.suppress(BrokenPipeError):  # The child had ended by itself, and its guard with it.
            if not self._guard.stdin.closed:
                self._guard.stdin.write(word)
            self._guard.stdin.close()
        try:
            self._guard.wait(self._grace_s + 2.0)
        except subprocess.TimeoutExpired:  # A stopped (SIGSTOP) guard reads no pipe.
            os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()
