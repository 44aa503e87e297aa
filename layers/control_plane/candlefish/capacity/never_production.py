"""Production never sleeps. This is the check that the use cases make; the API and the role make their own."""

from __future__ import annotations

from candlefish.catalog.model import Catalog, Environment
from candlefish.errors import NotAllowed


def require_may_sleep(catalog: Catalog, environment: str) -> Environment:
    """The environment, if it may sleep at all.

    Raises
    ------
    NotAllowed
        It is production, by its flag or by its name, or it has no schedule.
    UnknownService
        The catalog has no such environment.
    """
    env = catalog.environment(environment)
    refuse_production(environment, flagged=env.production)
    if env.schedule is None:
        raise NotAllowed(
            f"{environment} has no schedule and is always awake; give it one in catalog/environments/"
        )
    return env


def refuse_production(environment: str, *, flagged: bool = False) -> None:
    """Refuse to put production to sleep, by its flag or by its name."""
    if flagged or is_production(environment):
        raise NotAllowed(f"{environment} is a production environment and never sleeps; nothing was changed")


def is_production(environment: str) -> bool:
    """Whether a name alone says production: a catalog whose flag was lost must not put it to sleep."""
    return environment.lower().startswith(("prod", "live"))
