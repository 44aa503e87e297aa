"""Protects the table of a deployed environment from deletion.

    python -m tools.protect production

The stack does not: a table that is protected from its first moment could not be taken back when the first deployment
fails, and the next one would find it in its way. `make deploy` does this after every deployment that worked.
"""

from __future__ import annotations

import sys
from typing import Any

import boto3

from tools.policies import parameters
from tools.samconfig import section


def protect(table: str, dynamodb: Any) -> bool:
    """Protect a table from deletion; whether it was not."""
    if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
        return False
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    return True


def main(name: str) -> int:
    """Of the section of samconfig.toml with this name."""
    deploy = section(name)
    table = f"candlefish-{parameters(deploy)['Environment']}"
    if protect(table, boto3.client("dynamodb", region_name=deploy["region"])):
        print(f"{name}: the table {table} is protected from deletion from now on")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
