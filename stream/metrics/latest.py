"""Where the worker leaves its newest snapshot and the HTTP thread finds it."""

from __future__ import annotations

from stream.metrics.model import WorkerSnapshot
from stream.metrics.tally import Teller


class Latest:
    """The newest snapshot, handed over by reference in one step, and who adds it up.

    `publish` is called by the worker's loop; the teller belongs to the one thread of the HTTP server.
    """

    def __init__(self, teller: Teller | None = None) -> None:
        self.snapshot: WorkerSnapshot | None = None
        self.teller = teller or Teller()

    def publish(self, snapshot: WorkerSnapshot) -> None:
        """Make *snapshot* the one that is shown."""
        self.snapshot = snapshot
