"""What `sam build` made: each function with its artefact, its layers and its environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
from samtranslator.yaml_helper import yaml_parse

ACCOUNT, REGION = "111111111111", "us-west-2"
# Parameters that have no default; any values of the right shape.
PARAMETERS = {
    "Production": "no",
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
}
# Where the layer's package stands in the tree, for /opt/python on Lambda.
OPT = "/opt/python"


class Built(msgspec.Struct, frozen=True):
    """A built function. `path` is its module path: the artefact, then each layer."""

    logical: str
    name: str
    path: tuple[str, ...]
    environment: dict[str, str]
    kubernetes: bool


class Import(msgspec.Struct, frozen=True):
    """What importing a handler cost: CPU seconds, and the modules that it loaded."""

    seconds: float
    modules: list[str]


def functions(build: Path) -> list[Built]:
    """Every function of a build tree."""
    template = yaml_parse((build / "template.yaml").read_text())
    shared = template["Globals"]["Function"]
    defaults = {name: spec["Default"] for name, spec in template["Parameters"].items() if "Default" in spec}
    values = {**{name: str(value) for name, value in defaults.items()}, **PARAMETERS}
    # Functions look their own environment up when they are imported.
    values["Environment"] = min(msgspec.json.decode(_catalog(build).read_bytes())["environments"])
    return [
        _function(build, logical, definition["Properties"], shared, values)
        for logical, definition in template["Resources"].items()
        if definition["Type"] == "AWS::Serverless::Function"
    ]


def _function(
    build: Path, logical: str, properties: dict[str, Any], shared: dict[str, Any], values: dict[str, str]
) -> Built:
    layers = [reference["Ref"] for reference in (*shared.get("Layers", ()), *properties.get("Layers", ()))]
    variables = {
        **shared["Environment"]["Variables"],
        **properties.get("Environment", {}).get("Variables", {}),
    }
    code = build / logical
    environment = {name: resolve(value, values) for name, value in variables.items()}
    environment["CATALOG_PATH"] = str(_catalog(build))
    name = resolve(properties["FunctionName"], values)
    environment |= {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "LAMBDA_TASK_ROOT": str(code),
        "TZ": ":UTC",
    }
    paths = (str(code), *(str(build / layer / "python") for layer in layers))
    return Built(logical, name, paths, environment, "KubernetesLayer" in layers)


def _catalog(build: Path) -> Path:
    return build / "ControlPlaneLayer" / "python" / "candlefish" / "catalog.json"


def resolve(value: Any, values: dict[str, str]) -> str:
    """A template value as text; references become values of the right shape."""
    if isinstance(value, dict):
        ((kind, operand),) = value.items()
        if kind == "Ref":
            return values.get(
                operand,
                "30" if operand.endswith("Seconds") else f"arn:aws:states:{REGION}:{ACCOUNT}:{operand}",
            )
        if kind == "Fn::GetAtt":
            return f"arn:aws:x:{REGION}:{ACCOUNT}:{operand if isinstance(operand, str) else operand[0]}"
        if kind == "Fn::Sub":
            text = operand if isinstance(operand, str) else operand[0]
            for name, replacement in values.items():
                text = text.replace("${" + name + "}", replacement)
            return text
        return f"{kind}-of-something"
    return str(value)


_PROBE = """
import json, sys, time
before, began = set(sys.modules), time.process_time()
{statement}
spent = time.process_time() - began
print(json.dumps({{"seconds": spent, "modules": sorted(set(sys.modules) - before)}}))
"""


def run(python: str, path: tuple[str, ...], statement: str, environment: dict[str, str]) -> Import:
    """Run a statement in an interpreter that sees the path and the standard library, nothing else.

    Raises
    ------
    RuntimeError
        It failed; the message has the trace.
    """
    prelude = f"import sys\nsys.path[:0] = {list(path)!r}\n"
    done = subprocess.run(
        [python, "-I", "-S", "-B", "-c", prelude + _PROBE.format(statement=statement)],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Import)


def probe(built: Built, python: str) -> Import:
    """Import a function's handler as Lambda does."""
    return run(python, built.path, "import app; app.lambda_handler", built.environment)


__all__ = ["Built", "Import", "functions", "probe", "resolve", "run"]
