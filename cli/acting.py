"""What a person does with a release from its screen: the functions that the commands of the same names call."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from candlefish.names import RELEASE, bounded_name
from candlefish.views.model import ActionName, ReleaseView

if TYPE_CHECKING:
    from cli.stack import Stack


def new_name(service: str) -> str:
    """An execution name that sorts by time and is unique."""
    last = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    return bounded_name(service, last, longest=RELEASE)


def act(stack: Stack, view: ReleaseView, action: ActionName, reason: str) -> str:
    """Do it as the person whose credentials these are; what came of it, in words.

    Raises
    ------
    ControlPlaneError
        It was refused, or nobody answered; says so in words.
    """
    match action:
        case "approve" | "deny":
            import msgspec

            from candlefish.release.model import Answered

            asked = view.question.id if view.question else ""
            answer = {"approve": "approved", "deny": "denied"}[action]
            body = {"release": view.id, "question": asked, "answer": answer, "reason": reason}
            return msgspec.convert(stack.post("decide_approval", body), Answered).words
        case "pause" | "resume" | "promote":
            said = stack.post("steer_release", {"action": action, "release": view.id, "reason": reason})
            return str(said.get("says", ""))
        case "abort" | "rollback":
            name = f"{new_name(view.service)}-rollback"
            request = {"service": view.service, "reason": reason, "release": view.id}
            if action == "abort":
                request |= {"disposition": "rejected", "only_running": True}  # type: ignore[dict-item]
            else:
                request |= {"disposition": "bad"}
            stack.ask("rollback", name, request)
            return f"{view.service} is being rolled back"
        case "freeze" | "unfreeze":
            raise AssertionError("freezes are no action of a release's screen")
