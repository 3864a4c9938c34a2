"""Why a worker must stop."""

from __future__ import annotations


class WorkerFailure(Exception):  # noqa: N818 -- it is a verdict on the whole worker, not an error somebody handles
    """The worker cannot go on without losing or corrupting numbers; its message is one line for the operator."""
