"""A worker with faults: settings and faults as JSON in its arguments."""

from __future__ import annotations

import json
import logging
import sys

from tests.chaos.faults import Fault, Faults, switch_off
from tests.integration.exactness.child import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    told = json.loads(sys.argv[2])
    faults = Faults(Fault(**fault) for fault in told["faults"])
    faults.install()
    if told["off"]:
        switch_off(told["off"], faults)
    sys.exit(main())
