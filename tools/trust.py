"""Which GitHub tokens may take which role: a table of tokens against the trust policies of all environments.

    python -m tools.trust

The policies are evaluated by an IAM evaluator (tools/simulate.mjs), not by reading them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from tools.layers import ROOT
from tools.policies import ENVIRONMENTS, parameters, roles
from tools.samconfig import section

ISSUER = "token.actions.githubusercontent.com"
# The evaluator's data of condition keys has no entry for GitHub's issuer. IAM treats every issuer's `aud` and
# `sub` alike, so they are evaluated under the name of one that it knows.
KNOWN_ISSUER = "accounts.google.com"
AUDIENCE = "sts.amazonaws.com"


class Token(msgspec.Struct, frozen=True):
    """A token as GitHub (or somebody else) issues it, and the environment whose role it may take, if any."""

    what: str
    sub: str
    aud: str = AUDIENCE
    issuer: str = ISSUER
    may: str = ""


def tokens() -> Iterator[Token]:
    """The table, for the repository that the first environment's role trusts."""
    given = {name: subjects(name) for name in ENVIRONMENTS}
    for environment, named in given.items():
        for subject in named:
            yield Token(f"{environment}, {_form(subject)}", subject, may=environment)
    trusted = [subject for named in given.values() for subject in named]
    if not trusted:
        return
    environment = next(name for name, named in given.items() if named)
    whole = trusted[0].removesuffix(f":environment:{environment}")
    owner, _, repository = whole.removeprefix("repo:").partition("/")
    yield Token("another repository", f"repo:{owner}/another:environment:{environment}")
    yield Token("another owner", f"repo:someone/{repository}:environment:{environment}")
    yield Token("a repository whose name begins alike", f"{whole}-evil:environment:{environment}")
    for subject in trusted:
        if match := re.fullmatch(r"repo:([^@]+)@(\d+)/([^@]+)@(\d+)(:.*)", subject):
            name, owner_id, repo, repo_id, rest = match.groups()
            yield Token("the name with another owner's id", f"repo:{name}@{owner_id}0/{repo}@{repo_id}{rest}")
            yield Token(
                "the name with another repository's id", f"repo:{name}@{owner_id}/{repo}@{repo_id}0{rest}"
            )
            yield Token("a pull request, subject with ids", subject.removesuffix(rest) + ":pull_request")
            break
    yield Token("an environment that we have no role for", f"{whole}:environment:no-such-environment")
    yield Token("an environment whose name begins alike", f"{whole}:environment:{environment}-2")
    yield Token("the environment in capitals", f"{whole}:environment:{environment.upper()}")
    yield Token("a branch, without an environment", f"{whole}:ref:refs/heads/main")
    yield Token("a tag", f"{whole}:ref:refs/tags/v1")
    yield Token("a pull request from a fork", f"{whole}:pull_request")
    yield Token("another audience", f"{whole}:environment:{environment}", aud=f"https://github.com/{owner}")
    yield Token("an empty audience", f"{whole}:environment:{environment}", aud="")
    yield Token("a wildcard for a subject", "repo:*")
    yield Token("no subject", "")
    yield Token("another issuer", f"{whole}:environment:{environment}", issuer="gitlab.com")


def subjects(environment: str) -> list[str]:
    """Whose tokens samconfig.toml lets release to an environment; with none its stack makes no role."""
    return [each for each in parameters(section(environment)).get("GitHubSubjects", "").split(",") if each]


def _form(subject: str) -> str:
    return "subject with ids" if "@" in subject else "older subject"


def simulation(token: Token, environment: str) -> dict[str, Any]:
    """The request that a token makes of an environment's role."""
    (role,) = (role for role in roles(environment) if role.logical == "GitHubRole")
    account = role.account
    known = json.loads(json.dumps(role.trust).replace(f"{ISSUER}:", f"{KNOWN_ISSUER}:"))
    claims = {f"{KNOWN_ISSUER}:aud": token.aud, f"{KNOWN_ISSUER}:sub": token.sub}
    return {
        "request": {
            "principal": f"arn:aws:iam::{account}:oidc-provider/{token.issuer}",
            "action": "sts:AssumeRoleWithWebIdentity",
            "resource": {"resource": f"arn:aws:iam::{account}:role/{role.name}", "accountId": account},
            "contextVariables": {name: value for name, value in claims.items() if value},
        },
        "resourcePolicy": known,
    }


def evaluate(simulations: list[dict[str, Any]]) -> list[str]:
    """What IAM answers to each request.

    Raises
    ------
    RuntimeError
        The evaluator is not there, or takes a request for malformed.
    """
    node = shutil.which("node")
    if node is None:
        raise RuntimeError("node is not on PATH; the IAM evaluator runs on it")
    done = subprocess.run(
        [node, ROOT / "tools" / "simulate.mjs"],
        input=json.dumps(simulations),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the IAM evaluator failed (make tools): {done.stderr}")
    answers = json.loads(done.stdout)
    if wrong := [answer["error"] for answer in answers if "error" in answer]:
        raise RuntimeError(f"the IAM evaluator takes a request for malformed: {wrong[0]}")
    return [answer["result"] for answer in answers]


def main() -> int:
    """Print the table; how many answers are not as they must be."""
    table = list(tokens())
    cases = [(token, environment) for token in table for environment in ENVIRONMENTS]
    answers = evaluate([simulation(token, environment) for token, environment in cases])
    wrong = 0
    print(f"{'token':44}" + "".join(f"{name:>14}" for name in ENVIRONMENTS))
    for token in table:
        row = f"{token.what:44}"
        for (candidate, environment), answer in zip(cases, answers, strict=True):
            if candidate is token:
                right = (answer == "Allowed") == (token.may == environment)
                wrong += not right
                row += f"{('yes' if answer == 'Allowed' else '-') + ('' if right else ' WRONG'):>14}"
        print(row)
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
