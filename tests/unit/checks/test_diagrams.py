"""Diagrams of machines and the table of functions, made from definitions; a page that is stale is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.diagrams import diagram, either, filled, functions, main, overview, plain
from tools.stack import Stack, read

TEMPLATE = """
Resources:
  StepFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/step/
      Events:
        Often: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
  AskFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/ask/
      FunctionUrlConfig: {AuthType: AWS_IAM}
      Policies:
        - Statement:
            - {Effect: Allow, Action: states:StartExecution, Resource: !Ref MoveMachine}
            - {Effect: Allow, Action: lambda:InvokeFunction, Resource: !GetAtt StepFunction.Arn}
  LonelyFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/lonely/}
  MoveMachine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: statemachines/move.asl.yaml
      DefinitionSubstitutions: {Step: !GetAtt StepFunction.Arn, MoveMachine: !Ref MoveMachine}
"""
DEFINITION = """
Comment: Move something.
StartAt: Step
States:
  Step:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    Arguments: {FunctionName: "${Step}", Payload: {do: move, id: "{% $id %}"}}
    Catch:
      - {ErrorEquals: [StaleGeneration], Next: Lost}
      - {ErrorEquals: [States.ALL], Next: Again}
    Next: Which
  Which:
    Type: Choice
    Choices:
      - {Condition: "{% $moved.status = 'done' %}", Next: Done}
      - {Condition: "{% $moved.status = 'moot' %}", Next: Done}
    Default: Wait
  Wait: {Type: Wait, Seconds: 1, Next: Step}
  Again:
    Type: Task
    Resource: arn:aws:states:::states:startExecution
    Arguments: {StateMachineArn: "${MoveMachine}"}
    Next: Done
  Done: {Type: Succeed}
  Lost: {Type: Fail, Error: Superseded}
"""
ALIKE = """
StartAt: Each
States:
  Each:
    Type: Map
    Items: "{% $things %}"
    MaxConcurrency: 1
    ItemProcessor:
      StartAt: A
      States:
        A: {Type: Pass, Catch: [{ErrorEquals: [States.ALL], Next: Out}], Next: B}
        B: {Type: Pass, Catch: [{ErrorEquals: [States.ALL], Next: Out}], Next: C}
        C: {Type: Pass, Catch: [{ErrorEquals: [States.ALL], Next: Out}], Next: Out}
        Out: {Type: Succeed}
    End: true
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("docs", "statemachines", "functions/step", "functions/ask", "functions/lonely"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "statemachines/move.asl.yaml").write_text(DEFINITION)
    for name in ("step", "ask", "lonely"):
        (tmp_path / f"functions/{name}/app.py").write_text(f'"""Does {name}.\n\nMore of it.\n"""\n')
    return tmp_path


@pytest.fixture
def stack(root: Path) -> Stack:
    return read(root)


def test_a_machine_is_drawn_with_its_functions_choices_and_catches(stack: Stack) -> None:
    lines = [line.strip() for line in diagram(stack, "move").splitlines()]
    assert lines[:3] == ["```mermaid", "flowchart TD", "start(( )) --> Step"]
    assert 'Step["Step<br>step move"]' in lines
    assert 'Which -->|"moved.status = done or moot"| Done' in lines
    assert 'Which -->|"else"| Wait' in lines
    assert 'Step -. "StaleGeneration" .-> Lost' in lines
    assert 'Step -. "any error" .-> Again' in lines
    assert 'Again[["Again<br>starts move"]]' in lines
    assert "class Lost failed" in lines


def test_states_that_catch_the_same_stand_in_one_frame_with_one_arrow(root: Path) -> None:
    (root / "statemachines/move.asl.yaml").write_text(ALIKE)
    text = diagram(read(root), "move")
    assert 'subgraph Each["Each: things, one after the other"]' in text
    assert text.count('-. "any error" .->') == 1
    assert 'Each_start_group1 -. "any error" .-> Out' in text


@pytest.mark.parametrize(
    ("expression", "short"),
    [
        ("{% $next.kind = 'deploy' %}", "next.kind = deploy"),
        ("{% $exists($states.input.epoch) %}", "input.epoch is given"),
        ("{% $failed = '' %}", "failed = nothing"),
    ],
)
def test_a_condition_is_said_in_short(expression: str, short: str) -> None:
    assert plain(expression) == short


def test_conditions_about_different_things_both_stand_there() -> None:
    assert either(["a = 1", "a = 2", "b"]) == "a = 1 or 2 or b"


def test_what_leads_to_a_machine_is_drawn(stack: Stack) -> None:
    text = overview(stack)
    for arrow in ("https --> ask", "ask --> move", "move --> move"):
        assert f"    {arrow}\n" in text
    assert "lonely" not in text and "schedules" not in text


def test_the_table_says_who_calls_each_function(root: Path, stack: Stack) -> None:
    table = functions(stack, root)
    assert "| `step` | Does step. | every minute; move: Step; ask |" in table
    assert "| `ask` | Does ask. | URL, signed with IAM |" in table
    assert "| `lonely` | Does lonely. | people, by name |" in table


def test_a_stale_page_is_found_and_written_anew(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = root / "docs/machines.md"
    page.write_text("By hand.\n<!-- generated: move -->\nold\n<!-- /generated -->\nBy hand too.\n")
    assert main(True, root) == 1
    assert "docs/machines.md is not what the definitions say" in capsys.readouterr().out
    assert main(False, root) == 0
    assert main(True, root) == 0
    assert page.read_text().startswith("By hand.\n<!-- generated: move -->\n\n```mermaid\n")
    assert page.read_text().endswith("<!-- /generated -->\nBy hand too.\n")


def test_a_marker_for_what_nobody_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing-like-it"):
        filled("<!-- generated: nothing-like-it -->\n<!-- /generated -->", {})
