"""What one ticket contributes: a walk over its ledger."""

from .catalogue import Contribution
from .envelope import Event

ACTIVE = ("new", "open", "pending", "on_hold")
OVER = ("resolved", "closed")
DAY_US = 86_400 * 1_000_000
LABELS = ("channel", "priority", "team", "brand")


def tell(ledger: list[Event]) -> list[Contribution]:
    """The contributions of a ticket; none while it is incomplete, or when it is merged away, spam or a test."""
    walk = Walk()
    for event in ledger:
        if retracts(event):
            return []
        if event.verb == "deleted":
            walk.deleted = True
            break
        walk.read(event)
    return walk.finish()


def retracts(event: Event) -> bool:
    """Whether a ticket with the event is in no KPI."""
    return event.verb == "merged" or (event.verb == "deleted" and event.data["reason"] in ("spam", "test"))


class Walk:
    """The state of a ticket while its ledger is read, and what it has given so far."""

    def __init__(self) -> None:
        self.given: list[Contribution] = []
        self.labels = dict.fromkeys(LABELS, "none")
        self.category = ""
        self.created_us: int | None = None
        self.created_labels: dict[str, str] = {}
        self.requested_by_agent = False
        self.status = "new"
        self.deleted = False
        self.abandoned_last = False
        self.done_once: set[str] = set()
        # Resolutions: (instant, labels, closed time before it, all in microseconds) of the first and the last.
        self.resolves: list[tuple[int, dict[str, str], int]] = []
        self.resolved_by_bot = False
        self.over_since_us = 0
        self.closed_us = 0
        # Responses.
        self.replied = False
        self.response_start_us = 0
        self.waiting_since_us: int | None = None

    def read(self, event: Event) -> None:
        self.relabel(event)
        self.abandoned_last = event.verb == "abandoned"
        match event.verb:
            case "created":
                if self.created_us is None:
                    self.create(event)
            case "handed_off":
                self.response_start_us = event.time_us
            case "escalated":
                self.count_first("tickets_escalated", event)
            case "abandoned":
                self.count_first("tickets_abandoned", event)
            case "message":
                self.hear(event)
            case "status_changed":
                self.change_status(event)

    def give(self, kpi: str, part: str, at_us: int, value: int, labels: dict[str, str] | None = None) -> None:
        self.given.append(Contribution(kpi, part, at_us, value, dict(labels or self.labels)))

    def count_first(self, kpi: str, event: Event) -> None:
        if kpi not in self.done_once:
            self.done_once.add(kpi)
            self.give(kpi, "count", event.time_us, 1)

    def relabel(self, event: Event) -> None:
        if event.verb == "created" and self.created_us is not None:
            return
        if event.verb in ("created", "updated"):
            self.category = event.data.get("category", self.category)
            for name in ("channel", "priority", "brand"):
                self.labels[name] = event.data.get(name, self.labels[name])
        if event.verb in ("created", "assigned", "escalated"):
            self.labels["team"] = event.data.get("team", self.labels["team"])
        if event.verb == "handed_off":
            self.labels["team"] = event.data.get("to_team", self.labels["team"])

    def create(self, event: Event) -> None:
        self.created_us = self.response_start_us = event.time_us
        self.created_labels = dict(self.labels)
        self.requested_by_agent = event.data.get("requested_by") == "agent"
        self.over_since_us = event.time_us
        self.closed_us = 0
        self.give("tickets_created", "count", event.time_us, 1)

    def hear(self, event: Event) -> None:
        author, public = event.data["author"], event.data.get("public", True)
        if author == "customer" and public:
            if self.replied and self.waiting_since_us is None:
                self.waiting_since_us = event.time_us
            if self.status == "pending":
                self.status = "open"
            elif self.status == "resolved":
                self.reopen("open", event)
        elif author == "agent" and not self.replied:
            if public or self.labels["channel"] == "phone":
                self.replied = True
                self.sample("first_response_time", event, self.response_start_us)
        elif author == "agent" and public and self.waiting_since_us is not None:
            self.sample("next_response_time", event, self.waiting_since_us)
            self.waiting_since_us = None

    def sample(self, kpi: str, event: Event, start_us: int) -> None:
        # Before `created` nothing has started that a first response could answer.
        excluded = kpi == "first_response_time" and (self.created_us is None or self.requested_by_agent)
        if not excluded and event.time_us >= start_us:
            self.give(kpi, "sample", event.time_us, event.time_us - start_us)

    def change_status(self, event: Event) -> None:
        old, new = self.status, event.data["status"]
        if new == old:
            return
        if new in ACTIVE:
            if old == "resolved" or (old == "closed" and new == "open"):
                self.reopen(new, event)
            elif old != "closed":
                self.status = new
        elif new == "resolved" and old != "closed":
            self.end("resolved", event)
            self.resolves.append((event.time_us, dict(self.labels), self.closed_us))
            self.resolved_by_bot = event.data.get("by") == "bot"
            self.count_first("tickets_resolved", event)
        elif new == "closed":
            if not self.resolves:
                self.count_first("tickets_closed_unresolved", event)
            self.end("closed", event)

    def end(self, status: str, event: Event) -> None:
        if self.status not in OVER:
            self.over_since_us = event.time_us
        self.status = status
        self.waiting_since_us = None

    def reopen(self, status: str, event: Event) -> None:
        self.closed_us += event.time_us - self.over_since_us
        self.status = status
        self.count_first("tickets_reopened", event)
        if self.resolved_by_bot and not self.replied:
            self.response_start_us = event.time_us
        self.resolved_by_bot = False

    def finish(self) -> list[Contribution]:
        """The contributions so far and those that only the whole ledger decides."""
        if self.created_us is None:
            return []
        complaint = int(self.category == "complaint")
        self.give("complaint_share", "denominator", self.created_us, 1, self.created_labels)
        self.give("complaint_share", "numerator", self.created_us, complaint, self.created_labels)
        self.give("complaint_rate", "numerator", self.created_us, complaint, self.created_labels)
        if self.resolves:
            first_us, first_labels, _ = self.resolves[0]
            took_us = first_us - self.created_us
            if took_us >= 0:
                self.give("resolution_time", "sample", first_us, took_us, first_labels)
                self.give("resolved_within_24h", "denominator", first_us, 1, first_labels)
                self.give("resolved_within_24h", "numerator", first_us, int(took_us <= DAY_US), first_labels)
            last_us, last_labels, closed_us = self.resolves[-1]
            if last_us - self.created_us - closed_us >= 0:
                self.give("full_resolution_time", "sample", last_us, last_us - self.created_us - closed_us, last_labels)
        if self.status in ACTIVE and not self.deleted and not self.abandoned_last:
            self.given.append(Contribution("tickets_active", "count", None, 1, self.labels))
        return self.given
