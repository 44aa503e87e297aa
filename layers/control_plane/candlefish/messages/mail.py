"""What mail says of a release: the words of its event, and what the read model adds to them."""

from __future__ import annotations

from msgspec.structs import replace

from candlefish.messages.draw import ENDS, people, slot_words, stepped
from candlefish.signals.notification import Notification, facts_of, sentence, utc_clock
from candlefish.views.model import ReleaseView

# A moment of an entry, as an event and as a timeline have it, in seconds.
SAME = 0.001


def mail_of(message: Notification, view: ReleaseView, *, kind: str, at: float) -> Notification:
    """The message of an entry with what its release's view says; as it is, where the view does not know the entry yet.

    An entry is published before it is added, and a view from before would say that all is well.
    """
    if not any(each.kind == kind and abs(each.at - at) < SAME for each in view.timeline):
        return message
    says, reason = sentence(view.says), message.text
    evidence = view.evidence.says if view.evidence.state != "none" else ""
    asked = view.question
    more = facts_of(
        ("Asked", asked.asks if asked else ""),
        ("Evidence", evidence if evidence not in view.says + reason else ""),
        ("If yes", asked.if_yes if asked else ""),
        ("If no", asked.if_no if asked else ""),
        ("Can answer", people(asked.may_answer) if asked else ""),
        ("Steps", stepped(view)),
        *((f"In {each.slot}", slot_words(each)) for each in view.slots if each.version),
        *((ENDS[each.what].capitalize(), utc_clock(each.until)) for each in view.left if each.what in ENDS),
        *(("Held", each) for each in view.holds),
        *(("Not known", each) for each in view.unknown),
    )
    known = {label for label, _ in more}
    return replace(
        message,
        text=says if reason.rstrip(".").lower() in says.lower() else f"{says} {reason}",
        facts=(*more, *(each for each in message.facts if each[0] not in known)),
        command=view.command or message.command,
    )
