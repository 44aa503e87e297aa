"""What `candlefish catalog parameters` writes into samconfig.toml: lines of its own, and nothing else."""

from __future__ import annotations

import re

from candlefish.catalog.stack_parameters import NAMES, StackReach
from candlefish.errors import InvalidInput

_OURS = re.compile(rf'^ *"(?:{"|".join(NAMES)})=[^"]*",?\n', re.MULTILINE)
_SECTION = re.compile(r"^\[.*$", re.MULTILINE)
OPENED = "parameter_overrides = [\n"


def with_parameters(text: str, environment: str, reach: StackReach) -> str:
    """samconfig.toml with the derived parameters of an environment's stack, and of its stack in the recovery region.

    Raises
    ------
    InvalidInput
        There is no section for it, or its parameters are not written one a line.
    """
    lines = "".join(f'    "{name}={value}",\n' for name, value in reach.parameters.items())
    found = False
    for name in (environment, f"{environment}-recovery"):
        start = text.find(f"[{name}.deploy.parameters]\n")
        if start < 0:
            continue
        after = _SECTION.search(text, start + 1)
        end = after.start() if after else len(text)
        section = _OURS.sub("", text[start:end])
        if OPENED not in section:
            raise InvalidInput(
                f"samconfig.toml: write the parameter_overrides of [{name}.deploy.parameters] one a line"
            )
        text = text[:start] + section.replace(OPENED, OPENED + lines, 1) + text[end:]
        found = True
    if not found:
        raise InvalidInput(
            f"samconfig.toml has no section [{environment}.deploy.parameters]; copy one that is there "
            "(docs/deploy.md, step 2)"
        )
    return text
