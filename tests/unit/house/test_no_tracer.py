"""Nothing of ours traces by the X-Ray SDK, which AWS supports until February 2027 (docs/decisions/0009)."""

from __future__ import annotations

import re
from pathlib import Path

from lab.templates import read_template

ROOT = Path(__file__).parents[3]
SDK = re.compile(
    r"^\s*(?:import|from)\s+aws_xray_sdk|aws_lambda_powertools(?:\.tracing|\s+import\s+.*\bTracer)", re.M
)


def test_nothing_imports_it() -> None:
    ours = [
        path
        for part in ("layers", "functions", "cli", "lab", "tools")
        for path in (ROOT / part).rglob("*.py")
    ]
    assert len(ours) > 500
    assert [str(path) for path in ours if SDK.search(path.read_text())] == []


def test_no_function_carries_it() -> None:
    """It is in requirements.lock for moto's server alone: what is deployed is locked on its own."""
    carried = [*(ROOT / "layers").rglob("requirements*"), *(ROOT / "functions").rglob("requirements*")]
    assert carried
    assert [str(path) for path in carried if "xray" in path.read_text()] == []


def test_lambda_and_step_functions_trace_by_themselves() -> None:
    template = read_template(ROOT / "template.yaml")
    assert template["Globals"]["Function"]["Tracing"] == "PassThrough", (
        "with the trace of who calls it (decision 28)"
    )
    machines = {
        name: each["Properties"].get("Tracing")
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::Serverless::StateMachine"
    }
    assert len(machines) == 8
    assert {name for name, tracing in machines.items() if tracing != {"Enabled": True}} == set()
