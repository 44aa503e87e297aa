"""What a function is told by its environment variables (set in template.yaml)."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from candlefish.errors import Misconfigured

MACHINE_PREFIX = "MACHINE_"


class Settings(msgspec.Struct, frozen=True):
    """One function's settings; a function has only those that its use case needs.

    `machines` maps a machine's short name to its ARN: `MACHINE_ROLLBACK` becomes `rollback`.
    """

    values: dict[str, str]
    machines: dict[str, str]

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        machines = {
            name.removeprefix(MACHINE_PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(MACHINE_PREFIX)
        }
        return cls(dict(environ), machines)

    def __getitem__(self, name: str) -> str:
        """One setting.

        Raises
        ------
        Misconfigured
            It is missing or empty.
        """
        value = self.values.get(name, "")
        if not value:
            raise Misconfigured(
                f"the function's environment variable {name} is not set; set it in template.yaml"
            )
        return value
