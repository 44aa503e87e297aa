"""The single-table design on one page: every item that the control plane keeps, and how it is found.

One table an environment's stack, on demand, with point-in-time recovery. An item has its value as JSON
in `body` (compressed in `saved` and `bill`); beside it stand only attributes that a condition or a person
looks at, and `schema`: code reads what it knows and older (no attribute: before there were any), refuses what is
newer by name, and writes back fields that it does not know (`items.packed`). `revision` is what conditional writes compare (`items.put_if`), `expires` is when DynamoDB may
delete the item. Times in keys sort like numbers (`items.sortable`), epochs have twelve digits.
docs/table.md is made from this module.
"""

from __future__ import annotations

from typing import NamedTuple

Key = dict[str, dict[str, str]]


class Item(NamedTuple):
    """One kind of item: the patterns of its key, and what is to be known of it."""

    pk: str
    sk: str
    what: str
    # How it is written: only if nobody else wrote in between, only once, newest wins, or just put.
    written: str
    kept: str = "for ever"
    # Raised when code that knows only the schema before would misread what is written: a field whose default is not
    # true of it, a new value of a choice, another meaning. A field that older code may ignore raises nothing.
    schema: int = 1

    def key(self, **parts: str) -> Key:
        """The whole key of one item."""
        return {"pk": {"S": self.pk.format(**parts)}, "sk": {"S": self.sk.format(**parts)}}

    def partition(self, **parts: str) -> str:
        """The partition that all items of a kind with these parts stand in, for queries."""
        return self.pk.format(**parts)

    def prefix(self, **parts: str) -> str:
        """What the sort keys of a partition's items of this kind begin with, as far as `parts` says it."""
        fixed = self.sk
        for name in ("time", "n", "epoch", "id"):
            if name not in parts:
                fixed = fixed.partition(f"{{{name}}}")[0]
        return fixed.format(**parts)


# --- releases
RECORD = Item("record#{environment}", "{service}", "a service's record", "if revision is as read")
# 2: the plan may have experiments, which are put into it as it goes.
RELEASE = Item(
    "release#{release}",
    "release",
    "a release; `status` follows its timeline, `plan` what an experiment puts into it",
    "once; the plan if it is as read",
    "400 days",
    schema=2,
)
RELEASE_ENTRY = Item(
    "release#{release}", "entry#{time}#{n}", "an entry of a release's timeline", "put", "400 days"
)
JUDGEMENT = Item(
    "release#{release}",
    "judgement",
    "what its judge knows",
    "if revision is as read",
    "60 days after the last look",
)
SEEN_EVIDENCE = Item(
    "release#{release}", "seen", "what the newest look of its judge found, for people", "put", "400 days"
)
SEEN_WINDOW = Item(
    "release#{release}",
    "window#{time}",
    "a window as its judge consumed it, for people",
    "put",
    "400 days",
)
# 2: the token of the task stands apart.
APPROVAL = Item(
    "release#{release}", "approval", "its open or last question", "answered once", "400 days", schema=2
)
# In a partition of its own: whoever reads releases (GitHub's role, people) does not read it.
TASK = Item(
    "task#{release}",
    "question#{question}",
    "the token of the task that waits for the answer to a question; for functions alone",
    "put",
    "400 days",
)
RELEASES = Item(
    "releases#{environment}#{service}", "{time}#{release}", "index: releases of a service", "put", "400 days"
)
ALL_RELEASES = Item(
    "releases#{environment}", "{time}#{release}", "index: all releases by time", "put", "400 days"
)
FREEZES = Item(
    "freezes#{environment}", "asked", "the freezes that people asked for", "if revision is as read"
)
ASKED = Item(
    "asked#{machine}#{name}",
    "asked",
    "who asked for an execution, and a digest of what",
    "once",
    "40 days",
)
NONCE = Item("nonce#{nonce}", "nonce", "what may be used only once", "once", "as long as it could be used")
CALIBRATION = Item(
    "calibration#{environment}", "{service}#{source}", "how bursty a service's metrics are", "put"
)
STABLE = Item(
    "stable#{environment}", "{service}", "the version last promoted, for the other region", "newest wins"
)

# --- signals
GUARD = Item("guard#{environment}", "guard", "the guard's memory", "if revision is as read")
ALERT = Item(
    "signal#seen#{environment}", "{fingerprint}", "the newest known of an alert", "newest wins", "14 days"
)
SIGNAL_LOG = Item(
    "signal#log#{environment}#{day}", "{time}#{n}", "what was decided on a signal", "put", "90 days"
)
TELLING = Item(
    "signal#telling#{environment}", "{key}", "who may send a message, until when", "if nobody may", "2 days"
)
TELLINGS = Item(
    "signal#telling#{environment}",
    "window#{time}",
    "the first different messages of a window",
    "while there is room",
    "2 days",
)
NOTIFIED = Item(
    "signal#told#{event}", "{channel}", "what was told on a channel, when", "if nobody sent it", "2 days"
)

# --- messages
SHOWN = Item(
    "shown#{subject}",
    "chat",
    "which messages stand in the chat about a release or train, and where",
    "if revision is as read",
    "60 days after the last edit",
)
PACE = Item(
    "pace#{channel}", "chat", "when a channel of the chat takes the next message", "if it is time", "2 days"
)

# --- failovers and backups
FAILOVER = Item(
    "failover#{environment}#{target}", "run#{epoch}", "a failover's run", "if revision is as read", "7 years"
)
FAILOVER_ENTRY = Item(
    "failover#{environment}#{target}",
    "entry#{epoch}#{time}#{n}",
    "an entry of its timeline",
    "put",
    "7 years",
)
FAILOVERS = Item(
    "failovers#{environment}", "{time}#{target}#{epoch}", "index: runs by time", "put", "7 years"
)
DRILL = Item("drills#{environment}", "{id}", "a drill", "if revision is as read", "7 years")
AUDIT = Item("audit#{environment}", "latest", "the newest audit of backups", "put")

# --- capacity and cost
CAPACITY = Item(
    "capacity#{environment}",
    "record",
    "the capacity record, with what sleeps as it was",
    "if revision is as read",
)
BILL = Item("cost#{environment}", "bill", "the newest bill of Cost Explorer", "put")

ITEMS: dict[str, Item] = {
    name.lower().replace("_", " "): item for name, item in dict(globals()).items() if isinstance(item, Item)
}


def epoch_part(epoch: int) -> str:
    """A failover's epoch as keys have it."""
    return f"{epoch:012d}"
