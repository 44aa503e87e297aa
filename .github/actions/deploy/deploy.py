"""Start a release or a train, follow it where that is wanted, stop it when the job is cancelled, write the job summary.

    deploy.py start | follow | stop

`start` ends when it has begun: the control plane tells GitHub how it goes on (docs/ci.md).

Only boto3 is needed. Credentials come from GitHub's OIDC token and are renewed for as long as the job runs,
because those of one token last an hour and an approval may take a day.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import RefreshableCredentials

# For whom the token is made that buys the role's credentials.
STS = "sts.amazonaws.com"
POLL = 5.0
OVER = ("promoted", "rolled_back", "refused")
ENDED_BADLY = ("FAILED", "ABORTED", "TIMED_OUT")
WINDOWS_SHOWN = 60
# GitHub drops a summary of more than 1 MiB whole.
LARGEST_SUMMARY = 900_000
# Attempts to get a token, and the longest pause between two that GitHub may ask for. Seconds.
ATTEMPTS, LONGEST_PAUSE = 6, 60.0
# AWS is asked again with patience: a job that ends here leaves a release that nobody follows.
PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 10})
# The control plane's own limit and way of cutting: candlefish.names.bounded_name, which is not here to import.
LONGEST_NAME = 60


def name_of(service: str, run: str, attempt: str) -> str:
    """The release's name: the same for every call of one attempt of one run, so that a repeat starts nothing."""
    whole = f"{service}-gh-{run}-{attempt}"
    if len(whole) > LONGEST_NAME:
        digest = hashlib.sha256("\0".join((service, "gh", run, attempt)).encode()).hexdigest()[:10]
        end = f"-{digest}-{attempt}"
        whole = whole[: LONGEST_NAME - len(end)].rstrip("-.") + end
    return re.sub(r"[^A-Za-z0-9_-]", "-", whole)


def web_token(audience: str) -> str:
    """A fresh OIDC token of this job, for one audience. It is not printed."""
    url, bearer = (
        os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"),
        os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    )
    if not url or not bearer:
        sys.exit("the job may not ask for an OIDC token; give it `permissions: id-token: write`")
    request = urllib.request.Request(
        f"{url}&audience={urllib.parse.quote(audience, safe='')}",
        headers={"Authorization": f"bearer {bearer}"},
    )
    for attempt in range(1, ATTEMPTS + 1):
        why, pause = "", min(2.0**attempt, LONGEST_PAUSE)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return str(json.load(answer)["value"])
        except urllib.error.HTTPError as error:
            why, after = f"it answered {error.code}", error.headers.get("retry-after", "")
            if error.code != 429 and error.code < 500:
                break
            pause = min(float(after), LONGEST_PAUSE) if after.isdecimal() else pause
        except (OSError, ValueError, KeyError) as error:
            # The error's text may name the address, which is nobody's business.
            why = f"no answer ({type(error).__name__})"
        if attempt < ATTEMPTS:
            time.sleep(pause)
    sys.exit(
        f"::error::GitHub gave no OIDC token ({why}); nothing was started by this step. Run the job again"
    )


def session() -> boto3.Session:
    """A session whose credentials renew themselves with new tokens."""
    region, role = os.environ["AWS_REGION"], os.environ["CANDLEFISH_ROLE"]
    sts = boto3.client("sts", region_name=region, config=PATIENT)

    def assume() -> dict[str, str]:
        got = sts.assume_role_with_web_identity(
            RoleArn=role,
            RoleSessionName=f"github-{os.environ.get('GITHUB_RUN_ID', 'run')}",
            WebIdentityToken=web_token(STS),
        )["Credentials"]
        return {
            "access_key": got["AccessKeyId"],
            "secret_key": got["SecretAccessKey"],
            "token": got["SessionToken"],
            "expiry_time": got["Expiration"].isoformat(),
        }

    inner = botocore.session.get_session()
    inner._credentials = RefreshableCredentials.create_from_metadata(assume(), assume, "sts-web-identity")
    return boto3.Session(botocore_session=inner, region_name=region)


class Release:
    """One release as the control plane's table and Step Functions show it."""

    kind = "release"

    def __init__(self, aws: boto3.Session, environment: str, role: str, name: str) -> None:
        partition, account = role.split(":")[1], role.split(":")[4]
        prefix = f"arn:{partition}:states:{aws.region_name}:{account}"
        self.machine = f"{prefix}:stateMachine:candlefish-{environment}-{self.kind}"
        self.execution = f"{prefix}:execution:candlefish-{environment}-{self.kind}:{name}"
        self.environment, self.name = environment, name
        self._table = f"candlefish-{environment}"
        self._states = aws.client("stepfunctions", config=PATIENT)
        self._dynamodb = aws.client("dynamodb", config=PATIENT)

    def start(self, request: dict[str, Any]) -> None:
        """Start it; the same release twice is once. A token for this machine alone proves who asks."""
        self._asked = request
        request = {**request, "token": web_token(self.machine)}
        try:
            self._states.start_execution(
                stateMachineArn=self.machine, name=self.name, input=json.dumps(request)
            )
        except self._states.exceptions.ExecutionAlreadyExists:
            print(f"{self.name} was started before; following it")

    def stop(self) -> bool:
        """Stop it; the control plane's reconciler rolls back what it left. Whether there was anything to stop."""
        try:
            self._states.stop_execution(
                executionArn=self.execution,
                error="Cancelled",
                cause="the GitHub job that started the release was cancelled",
            )
        except self._states.exceptions.ExecutionDoesNotExist:
            return False
        return True

    def described(self) -> dict[str, Any]:
        return dict(self._states.describe_execution(executionArn=self.execution))

    def status(self) -> str:
        """What became of it, empty until it is written down; ends the job where it is another job's release."""
        key = {"pk": {"S": f"release#{self.name}"}, "sk": {"S": "release"}}
        item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return ""
        body = json.loads(item["body"]["S"])
        about = (body["service"], body["version"]["image"])
        if about != (self._asked["service"], self._asked["image"]):
            sys.exit(
                f"::error::{self.name} was started before, for {_line(' and '.join(about))}; this job started nothing: "
                "give each service a job of its own, and each job one image"
            )
        return str(item["status"]["S"])

    def timeline(self) -> list[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
            ExpressionAttributeValues={":pk": {"S": f"release#{self.name}"}, ":entry": {"S": "entry#"}},
            ConsistentRead=True,
        )
        return [json.loads(item["body"]["S"]) for page in pages for item in page["Items"]]


class Train(Release):
    """Several releases as one execution, all or nothing; its releases have timelines of their own."""

    kind = "train"

    def status(self) -> str:
        """Empty while it runs; it ended well only where every release did."""
        found = self.described()
        given = json.loads(found["input"])
        if given.get("releases") != self._asked["releases"]:
            sys.exit(f"::error::{self.name} was started before, for other releases; this job started nothing")
        return "promoted" if found["status"] == "SUCCEEDED" else ""

    def timeline(self) -> list[dict[str, Any]]:
        return []


def follow(release: Release) -> tuple[str, str]:
    """Print the timeline as it grows until the release is over; its status, and the cause of a bad end."""
    printed = 0
    while True:
        status, entries = release.status(), release.timeline()
        for entry in entries[printed:]:
            print(
                f"{time.strftime('%H:%M:%S', time.gmtime(entry['at']))}  {_line(entry['kind']):<20} {_line(entry['reason'])}",
                flush=True,
            )
        printed = len(entries)
        if status in OVER:
            return status, entries[-1]["reason"] if entries and status != "promoted" else ""
        found = release.described()
        if found["status"] in ENDED_BADLY and status not in (
            "rolling_back",
            "running",
            "held",
            "awaiting_approval",
        ):
            return "refused", f"{found.get('error', found['status'])}: {found.get('cause', '')}"
        time.sleep(POLL)


def summary(release: Release, status: str, cause: str) -> str:
    """The job summary: what happened, when, why, and the judge's evidence as a chart."""
    entries = release.timeline()
    mark = "✅" if status == "promoted" else "❌"
    lines = [
        f"## {mark} {_cell(release.name)}: {status.replace('_', ' ')} in {_cell(release.environment)}",
        "",
    ]
    lines += [_cell(cause), ""] if cause else []
    lines += ["| at (UTC) | what | by | why |", "|---|---|---|---|"]
    for entry in entries:
        at = time.strftime("%H:%M:%S", time.gmtime(entry["at"]))
        by = entry.get("by", "control-plane")
        lines.append(f"| {at} | {_cell(entry['kind'])} | {_cell(by)} | {_cell(entry['reason'])} |")
    drawn = picture(entries)
    return fitting(
        [*lines, "", *drawn, f"`candlefish status {release.name} -e {release.environment}`", ""],
        len(drawn) + 3,
    )


def fitting(lines: list[str], tail: int) -> str:
    """Lines as a summary that GitHub keeps: where they are too many, the oldest rows of the table are left out."""
    left = LARGEST_SUMMARY - sum(len(line.encode()) + 1 for line in lines[-tail:])
    kept: list[str] = []
    for line in lines[:-tail]:
        left -= len(line.encode()) + 1
        if left < 200:
            kept.append("| … | | | the rest is in `candlefish status` |")
            break
        kept.append(line)
    return "\n".join([*kept, *lines[-tail:]])


def picture(entries: list[dict[str, Any]]) -> list[str]:
    """The judge's numbers over its looks, one chart for each that it gave; nothing where it gave none."""
    judged = [entry.get("evidence", {}) for entry in entries if entry["kind"] == "judged"][-WINDOWS_SHOWN:]
    series: dict[str, list[float]] = {}
    for evidence in judged:
        for key, value in numbers(evidence):
            series.setdefault(key, []).append(value)
    lines: list[str] = []
    for key, values in series.items():
        if len(values) < 2:
            continue
        points = ", ".join(f"{value:.4g}" for value in values)
        looks = ", ".join(str(number) for number in range(1, len(values) + 1))
        lines += ["```mermaid", "xychart-beta", f'  title "judge: {_word(key)}"', f"  x-axis [{looks}]"]
        lines += [f"  line [{points}]", "```", ""]
    return lines


def numbers(evidence: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Every number in the evidence of a look, by its path."""
    found: list[tuple[str, float]] = []
    for key, value in evidence.items():
        if isinstance(value, dict):
            found += numbers(value, f"{prefix}{key} ")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append((f"{prefix}{key}", float(value)))
    return found


def _line(text: str) -> str:
    """Text that stays on its line of the log: a line that begins with `::` would be a command to the runner."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9 _.-]", "", text)


def _cell(text: str) -> str:
    """Text that stays one cell of a table and brings no markup of its own."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|")
    return re.sub(r"([`*_\[\]])", r"\\\1", " ".join(escaped.split()))


def output(name: str, value: str) -> None:
    if path := os.environ.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")


def request_of(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the job asks for: a train where it names several services, else one release.

    Ends the job where its inputs contradict each other.
    """
    train, image = environ.get("CANDLEFISH_TRAIN", ""), environ.get("CANDLEFISH_IMAGE", "")
    if bool(train) == bool(image):
        sys.exit("::error::give the action either `train`, or `service` and `image`; nothing was started")
    common = {
        "environment": environ["CANDLEFISH_ENVIRONMENT"],
        # A commit's message, often: the control plane takes a reason of at most 1,000 characters.
        "reason": _line(environ["CANDLEFISH_REASON"])[:1000],
        "break_glass": environ.get("CANDLEFISH_BREAK_GLASS", ""),
    }
    if train:
        asked = {**common, "releases": _json(train, list, "train")}
    else:
        bundle = environ.get("CANDLEFISH_BUNDLE", "")
        asked = {
            **common,
            "service": environ["CANDLEFISH_SERVICE"],
            "image": image,
            "label": environ.get("CANDLEFISH_LABEL", ""),
            **(_json(bundle, dict, "bundle") if bundle else {}),
        }
    return {key: value for key, value in asked.items() if value}


def _json(text: str, kind: type, name: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, kind) or not found:
        sys.exit(f"::error::`{name}` is no JSON {kind.__name__} with something in it; docs/ci.md shows one")
    return found


def main(command: str) -> int:
    environ = os.environ
    train = bool(environ.get("CANDLEFISH_TRAIN"))
    about = "train" if train else environ["CANDLEFISH_SERVICE"]
    name = name_of(about, environ["GITHUB_RUN_ID"], environ["GITHUB_RUN_ATTEMPT"])
    environment, role = environ["CANDLEFISH_ENVIRONMENT"], environ["CANDLEFISH_ROLE"]
    kind = Train if train else Release
    if command == "stop":
        if kind(session(), environment, role, name).stop():
            print(f"{name} was stopped; the control plane rolls back what it had begun")
        else:
            print(f"{name} had not been started when the job was cancelled; there is nothing to take back")
        return 0
    # What cannot be asked for is said before anybody is asked for credentials.
    request = request_of(environ)
    release = kind(session(), environment, role, name)
    output("release", name)
    release.start(request)
    if command == "start":
        output("status", "started")
        shown = (
            f"candlefish watch {name} -e {environment}"
            if not train
            else f"candlefish status -e {environment}"
        )
        print(f"{name} has begun; GitHub is told how it goes on, and so are you by: {shown}")
        return 0
    status, cause = follow(release)
    output("status", status)
    if path := environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary(release, status, cause))
    if status != "promoted":
        print(f"::error::{name} was {status.replace('_', ' ')}: {_line(cause).replace('%', '%25')}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
