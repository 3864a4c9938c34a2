"""The oracle on real data whose answers others computed: the UCI incident log, in this file's own mapping (audit)."""

import csv
import gzip
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from .report import report
from .values import instant

DATA = Path(os.environ.get("DESKPULSE_DATA") or Path(__file__).parents[3] / "shared" / "data")
LOG = DATA / "tickets_uci_incident" / "incident_event_log.csv.gz"

STATUS = {
    "New": "new", "Active": "open", "Resolved": "resolved", "Closed": "closed",
    "Awaiting Evidence": "pending", "Awaiting User Info": "pending",
    "Awaiting Problem": "on_hold", "Awaiting Vendor": "on_hold",
}  # fmt: skip


def rfc3339(written: str) -> str:
    return datetime.strptime(written, "%d/%m/%Y %H:%M").replace(tzinfo=UTC).isoformat()


def audit_events() -> Iterator[dict[str, Any]]:
    """created at opened_at; a status event from every row's state, numbered by sys_mod_count."""
    opened = set()
    with gzip.open(LOG, "rt", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            ticket = {"specversion": "1.0", "source": "/uci", "subject": row["number"]}
            if row["number"] not in opened:
                opened.add(row["number"])
                data = {"channel": "phone", "priority": "normal", "category": "incident"}
                opening = {"id": f"opened-{row['number']}", "type": "ticket.created", "data": data}
                yield ticket | opening | {"time": rfc3339(row["opened_at"])}
            if row["incident_state"] in STATUS:  # -100 stands in 5 rows and means nothing
                change = {"id": f"{number}", "type": "ticket.status_changed", "sequence": int(row["sys_mod_count"])}
                data = {"status": STATUS[row["incident_state"]]}
                yield ticket | change | {"time": rfc3339(row["sys_updated_at"]), "data": data}


@pytest.mark.skipif(not LOG.exists(), reason=f"the UCI incident log is not at {LOG} (set DESKPULSE_DATA)")
def test_the_incident_log_gives_the_known_facts():
    (row,) = report(audit_events(), instant("2016-01-01T00:00:00Z"), instant("2018-01-01T00:00:00Z"))
    kpis = row["kpis"]
    assert kpis["tickets_created"] == 24_918
    assert kpis["tickets_resolved"] == kpis["resolution_time"]["count"] == 24_905
    assert kpis["tickets_reopened"] == 276
    assert kpis["tickets_closed_unresolved"] == 24_918 - 24_905
    hour = 3_600
    assert kpis["resolution_time"]["p50"] / hour == pytest.approx(13.88, abs=0.005)
    assert kpis["resolution_time"]["mean"] / hour == pytest.approx(162.92, abs=0.005)
    assert kpis["resolved_within_24h"]["value"] == pytest.approx(0.5519, abs=0.00005)
