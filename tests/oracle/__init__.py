"""An independent oracle: the KPIs by brute force from raw records, straight from the contract, without `stream`.

Everything is one pass over each entity's whole ledger, giving a flat list of contributions; a live window or a report
period is then a filter and a sum over that list. Nothing is incremental, nothing is retracted: what does not count is
never produced. Times are integer microseconds since the epoch (UTC), money is integer millionths of a currency unit.

READINGS: what the contract leaves open, and how this oracle reads it.

Records
 1. Checks run in this order and the first that fails names the reason: size (too_large), JSON (malformed; also a null
    or empty value, and NaN), the CloudEvents attributes (invalid), type (unknown_type), topic (wrong_topic), a missing
    subject and the data (invalid), clock (future), ledger length (entity_too_big: over 5,000 events). JSON that is
    no object is invalid; so are an empty string and an amount or number of seconds beyond 64 bits of millionths.
 2. A record is structured unless it has a `ce_*` header and no `application/cloudevents` content type.
 3. A record has one result, in this order: rejected, heartbeat, duplicate, late, applied. A late event is folded all
    the same: the oracle knows no sealing, so a log for it must send late events to live or unknown entities only.
 4. `sequence` is an integer or a string holding one. A null optional field is an absent one.
 5. An entity is (kind, subject), kind = ticket, booking, review or survey. Its key plays no part in this step's KPIs.
 6. Ranks the contract does not list: posted < updated < removed; sent < answered; booking.deleted is last.
Tickets
 7. Only the first `created` of the ledger counts. A ticket is `new` until a status says otherwise, also one before
    `created`: a clock that was off must not leave a resolved ticket open for ever.
 8. From closed, `new`, `pending`, `on_hold` and `resolved` change nothing; `open` is a reopen, also if never resolved.
 9. A customer message in a closed ticket changes no status, but starts a wait for the next response.
10. The start of the first response is set by the latest of: created, hand-off, the first reopen after a bot's resolve
    (a later one ends a close, which is nobody's answer). A reply before `created` in the ledger gives no sample, but it
    was the first reply.
11. Closed time counts only after `created`. Any event after `abandoned` in the ledger makes the ticket active again.
12. A contribution carries the labels as they are after its own event has been folded. Events before `created` count
    when it comes: a resolve before it is the first resolve, and its negative time gives no sample.
13. Of merged and deleted events the first in the ledger decides; after a deletion that keeps counts nothing is read.
Bookings, reviews, surveys
14. Each kind of booking event counts by its first one, whatever other kinds there are (completed and cancelled: both).
15. A removed review is gone even if events follow. A rating is that of the last posted or updated event in the ledger.
16. A survey answer needs no `sent`. Surveys have no labels. `reviews` has the label `stars` besides brand and site.
Windows and reports
17. A contribution is in a live window by its own instant; the fold that made it has read the whole log, also events
    after `now`. tickets_active is the state at the end of the log, under the window "", and so are the open runs,
    whose deadlines are compared with `now`.
18. Keys that would hold 0 are absent from `live`.
19. Report periods are calendar periods of the zone cut to [from, to). A row is a combination of label values that some
    contribution of the period has; without groups there is always one row. A KPI that lacks a grouping label is left
    out of the row. A run still open is missed if its deadline is no later than the end of the data
    (as_of, else the last event). A ratio, mean, time or nps without value is None; money without is {}.
Clocks (of the preset support-24x7; besides what tests/oracle/sla.py reads)
20. All that happens at one instant happens before a deadline there, in whatever order: what ends or pauses a run at its
    deadline is in time. A new target below the time already counted is missed at once, also in a pause.
21. An abandoned ticket gets its clocks back by a public customer message or any status event; another event only makes
    it active. They carry on as after a reopen, and the first response starts anew if nobody has replied.
22. A hand-off before the first reply starts that run anew, and undoes its miss: the wait before was the bot's.
23. An open run that was missed keeps the policy and priority under which it was; its team is the one that holds it now.
"""

from .catalogue import Contribution
from .fold import contributions
from .live import live, live_of
from .log import Log, entities
from .report import report

__all__ = ["Contribution", "Log", "contributions", "entities", "live", "live_of", "report"]
