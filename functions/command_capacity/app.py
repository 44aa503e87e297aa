"""What a person says about the environment's hours. Called through a function URL with IAM, which names the caller."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import capacity as wire
from candlefish.capacity.command import Command, Commanded, command
from candlefish.capacity.guard import is_production
from candlefish.errors import NotAllowed
from candlefish.handler import handler
from candlefish.web import caller, posted, respond


@handler
def lambda_handler(event: Any) -> dict[str, Any]:
    def answer() -> Commanded:
        # The first of three refusals: the use case and the role refuse on their own.
        if is_production(wire.environment()):
            raise NotAllowed(
                f"{wire.environment()} is a production environment and never sleeps; nothing was changed"
            )
        return command(
            posted(event, Command),
            principal=caller(event),
            environment=wire.environment(),
            catalog=wire.catalog(),
            store=wire.store(),
            events=wire.events(),
            now=wire.now,
        )

    return respond(answer)
