"""Durations, and the names, numbers and addresses that are written as text, each with what it must look like."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
# The longest that can be written, in seconds: ten years. Backups are kept for seven.
LONGEST = 3653 * 86400.0


class Duration(float):
    """A length of time in seconds; written `90s`, `5m`, `1h30m`, `2d` in the catalog."""

    @classmethod
    def parse(cls, value: Any) -> Duration:
        """Read a duration from its written form, or from a number of seconds.

        Raises
        ------
        ValueError
            When the text is not a duration.
        """
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LONGEST:
            return cls(value)
        match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
        if match is None:
            raise ValueError(f"{str(value)[:40]!r} is not a duration; write it like 90s, 5m, 1h30m or 2d")
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        if (length := days * 86400 + hours * 3600 + minutes * 60 + seconds) > LONGEST:
            raise ValueError(f"{value[:40]!r} is longer than ten years; write it like 90s, 5m, 1h30m or 2d")
        return cls(length)

    def __str__(self) -> str:
        """The written form, the shortest that `parse` reads back to the same number."""
        minutes, seconds = divmod(float(self), 60)
        hours, minutes = divmod(int(minutes), 60)
        days, hours = divmod(hours, 24)
        parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
        return "".join(f"{value:g}{unit}" for value, unit in parts if value) or "0s"


def text(pattern: str, fix: str) -> Any:
    """What a string must look like, and what to tell somebody whose does not.

    In `extra`, for the loader and the schema: functions read what was checked at build time and
    should not pay for compiling two dozen patterns.
    """
    return msgspec.Meta(extra={"pattern": pattern, "fix": fix})


def number(fix: str, low: float, high: float | None = None) -> Any:
    """The range a number must lie in, both ends included."""
    return msgspec.Meta(ge=low, le=high, extra={"fix": fix})


LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

# Names end up in Kubernetes object names with a slot behind them, so RFC 1035 labels with room.
NAME = "[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?"
Name = Annotated[str, text(NAME, "write a name like api-gateway, at most 40 characters")]
Label = Annotated[str, text("[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", "write a name like example-dev")]
MaybeLabel = Annotated[str, text("(?:[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)?", "write a name like example-dev")]
Host = Annotated[
    str, text(rf"(?:{LABEL}\.)+[a-z]{{2,63}}", "write a lower-case DNS name like api.example.org")
]
Port = Annotated[int, number("write a TCP port from 1 to 65535", 1, 65535)]
UrlPath = Annotated[str, text(r"/[^\s?#]*", "write an absolute path like /health")]
FilePath = Annotated[str, text(r"/[^\s:]*[^\s:/]", "write an absolute path like /tmp")]
SourcePath = Annotated[
    str,
    text(
        r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9._-]+)*",
        "write a path from the root of the repository, like services/website",
    ),
]
HttpsUrl = Annotated[str, text(r"(?:https://[^\s]+)?", "write an https:// address")]
EnvName = Annotated[str, text("[A-Za-z_][A-Za-z0-9_]*", "write a variable like LOG_LEVEL")]
Image = Annotated[
    str,
    text(
        r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9._-]+)+",
        "write the repository alone, like ghcr.io/example-org/website; a release adds the digest",
    ),
]
Repository = Annotated[
    str, text(r"(?:[A-Za-z0-9-]+/[A-Za-z0-9._-]+)?", "write owner and name, like example-org/shop")
]
Cpu = Annotated[str, text(r"[1-9]\d*m|\d+(?:\.\d{1,3})?", "write cores, like 250m or 1.5")]
Memory = Annotated[str, text(r"[1-9]\d*(?:Ki|Mi|Gi)", "write bytes with a binary unit, like 512Mi or 2Gi")]
Account = Annotated[str, text(r"\d{12}", "write the account's 12 digits, in quotes")]
Region = Annotated[str, text(r"[a-z]{2}(?:-[a-z]+)+-\d", "write a region like us-west-2")]
MaybeRegion = Annotated[
    str, text(r"(?:[a-z]{2}(?:-[a-z]+)+-\d)?", "write a region like us-east-1, or nothing")
]
Day = Annotated[str, text(r"(?:\d{4}-)?\d{2}-\d{2}", "write a date like 2026-12-25, or 12-25 for every year")]
Cidr = Annotated[str, text(r"[0-9a-f.:]+/\d{1,3}", "write a network like 10.0.0.0/16")]
Identifier = Annotated[
    str, text("[a-z](?:[a-z0-9]|-(?!-)){0,61}[a-z0-9]", "write an identifier like orders-production")
]
MaybeSecretName = Annotated[
    str, text(r"[A-Za-z0-9/_+=.@-]{0,512}", "write the secret's name, like candlefish/database")
]
SecretName = Annotated[
    str, text(r"[A-Za-z0-9/_+=.@-]{1,512}", "write the secret's name, like candlefish/database")
]
HostedZone = Annotated[str, text("Z[A-Z0-9]{3,31}", "write the hosted zone's id, like Z0123456789ABC")]
SecurityGroup = Annotated[str, text("(?:sg-[0-9a-f]{8,17})?", "write a security group like sg-0a1b2c3d")]
KeyArn = Annotated[
    str,
    text(
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+",
        "write a key's ARN, like arn:aws:kms:us-west-2:111111111111:key/0123abcd-...",
    ),
]
RoutingControl = Annotated[
    str,
    text(
        r"arn:aws[a-z-]*:route53-recovery-control::\d{12}:controlpanel/[A-Za-z0-9]+/routingcontrol/[A-Za-z0-9]+",
        "write the routing control's ARN, as ARC shows it",
    ),
]
Bucket = Annotated[str, text(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "write a bucket's name")]
MaybeIdentifier = Annotated[
    str, text("(?:[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9])?", "write an identifier, as AWS shows it")
]
Count = Annotated[int, number("write a whole number of 1 or more", 1)]
Percent = Annotated[int, number("write a percentage from 0 to 100", 0, 100)]
Dollars = Annotated[float, number("write US dollars a month, 0 or more", 0)]


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of everything in the catalog: immutable, and strict about unknown fields."""


def decode_hook(kind: type, value: Any) -> Any:
    """Teach msgspec to read the catalog's own scalar types."""
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(kind)


def encode_hook(value: Any) -> Any:
    """Teach msgspec to write the catalog's own scalar types."""
    if isinstance(value, Duration):
        return float(value)
    raise NotImplementedError(type(value))
