"""What every entity of a log contributes to the KPIs."""

from . import bookings, clocks, reviews, tickets
from .catalogue import Contribution
from .log import Log

TELLERS = {
    "ticket": lambda ledger: tickets.tell(ledger) + clocks.tell(ledger),
    "booking": bookings.tell,
    "review": reviews.tell_review,
    "survey": reviews.tell_survey,
}


def contributions(log: Log) -> list[Contribution]:
    """All contributions of all entities of the log, in no particular order."""
    return [each for (kind, _), ledger in log.ledgers.items() for each in TELLERS[kind](ledger)]
