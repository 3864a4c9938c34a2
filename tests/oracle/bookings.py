"""What one booking contributes."""

from .catalogue import Contribution
from .envelope import Event


def tell(ledger: list[Event]) -> list[Contribution]:
    """The contributions of a booking; none while it is incomplete, or when it is spam or a test."""
    kept = []
    for event in ledger:
        if event.verb == "deleted":
            if event.data["reason"] in ("spam", "test"):
                return []
            break
        kept.append(event)
    first: dict[str, Event] = {}
    for event in kept:
        first.setdefault(event.verb, event)
    created = first.get("created")
    if created is None:
        return []
    labels = {"channel": created.data["channel"], "brand": created.data.get("brand", "none")}
    given: list[Contribution] = []

    def give(kpi: str, part: str, event: Event, value: int = 1) -> None:
        given.append(Contribution(kpi, part, event.time_us, value, labels))

    for verb in ("created", "completed", "cancelled", "no_show"):
        if verb in first:
            give(f"bookings_{verb}", "count", first[verb])
    for rate, verb in (("cancellation_rate", "cancelled"), ("no_show_rate", "no_show")):
        give(rate, "denominator", created)
        give(rate, "numerator", created, int(verb in first))
    if "completed" in first:
        completed = first["completed"]
        give("complaint_rate", "denominator", completed)
        paid = completed.data.get("amount", created.data["amount"])
        give("revenue", f"sum:{created.data['currency']}", completed, paid)
    return given
