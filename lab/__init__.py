"""The whole product on one machine, with nothing but pip (docs/lab.md).

A house of rooms. `scenes` plays what people and failures do in a `world`; a world is built of emulators (`aws`,
`databases`, `functions`, `kube`, `moto`, `traffic`), which know nothing of the product and would serve another one
as well. `nights` simulates weeks without any of them. The floors are contracts in pyproject.toml.
"""

import os
from pathlib import Path

# The checkout that the lab runs.
ROOT = Path(__file__).resolve().parent.parent
# The company whose services it runs: its catalog, and what its stacks are deployed with beside it.
CATALOG = Path(os.environ.get("CANDLEFISH_CATALOG") or ROOT / "catalog").resolve()
SAMCONFIG = CATALOG.parent / "samconfig.toml"
