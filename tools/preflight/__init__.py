"""What would make a deployment fail, or leave it deaf, said before it begins, each with the command that mends it.

    python -m tools.preflight production

`checks` holds an environment's section of samconfig.toml (`production`, or `production-recovery` for its stack in the
recovery region) against template.yaml, the catalog and what `look` found in the account. Reads only.
"""
