"""Production never sleeps. This is the check that the use cases make.

`production: true` in the catalog is the one flag. From it, the stack of a production environment has no function that
puts anything to sleep, and the role that does so elsewhere may touch nothing of production (template.yaml).
"""

from __future__ import annotations

from candlefish.catalog.model import Catalog, Environment, Schedule
from candlefish.errors import AlwaysAwake, NotAllowed


def require_no_production(catalog: Catalog, environment: str) -> Environment:
    """The environment, if it is not production. Without a schedule it is always awake, which nobody has to ask for.

    Raises
    ------
    NotAllowed
        It is production.
    UnknownService
        The catalog has no such environment.
    """
    env = catalog.environment(environment)
    if env.production:
        raise NotAllowed(f"{environment} is a production environment and never sleeps; nothing was changed")
    return env


def require_schedule(catalog: Catalog, environment: str) -> tuple[Environment, Schedule]:
    """The environment and its hours, for whoever wants other ones.

    Raises
    ------
    NotAllowed
        It is production.
    AlwaysAwake
        It has no schedule.
    UnknownService
        The catalog has no such environment.
    """
    env = require_no_production(catalog, environment)
    if env.schedule is None:
        raise AlwaysAwake(
            f"{environment} has no schedule and is always awake; give it one in catalog/environments/{environment}.yaml"
        )
    return env, env.schedule
