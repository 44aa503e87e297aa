"""Names that are made of parts and must not be long.

What is cut loses what made it different, so whatever is cut carries a hash of the whole: two names that differed
still differ.
"""

from __future__ import annotations

import hashlib

# What is ours says whose: an environment's name, on everything that its control plane makes.
ENVIRONMENT_TAG = "candlefish:environment"
# Hexadecimal digits of the hash: of a thousand names of one beginning, two agree once in two million accounts.
DIGITS = 10
# What a release may be called.
RELEASE = 60
# What Step Functions takes as the name of an execution; ours leave room for what is started after them.
EXECUTION = 80
# What ELBv2 takes as the name of a target group, and RDS as an instance's identifier.
TARGET_GROUP, INSTANCE = 32, 63
# What IAM takes as the name of a role.
ROLE = 64


def bounded_name(*parts: str, longest: int) -> str:
    """The parts with hyphens between, in at most `longest` characters.

    A name that is too long keeps its beginning and, where it is short, its last part; a hash of all the parts stands
    between. The same parts always have the same name.
    """
    whole = "-".join(parts)
    if len(whole) <= longest:
        return whole
    digest = mark_of(*parts)
    last = parts[-1] if len(parts) > 1 and len(parts[-1]) <= longest // 3 else ""
    end = f"-{digest}-{last}" if last else f"-{digest}"
    return whole[: longest - len(end)].rstrip("-.") + end


def partition_of(region: str) -> str:
    """The partition that ARNs of a region begin with."""
    names = {"cn": "aws-cn", "us-gov": "aws-us-gov", "eusc": "aws-eusc"}
    return next((name for start, name in names.items() if region.startswith(f"{start}-")), "aws")


def service_role(environment: str, service: str) -> str:
    """The IAM role of a service that names none: `candlefish catalog roles` makes it, its ServiceAccount names it."""
    return bounded_name("candlefish", environment, service, longest=ROLE)


def mark_of(*parts: str) -> str:
    """The hash of some parts, as names carry it."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:DIGITS]


def target_group_name(service: str, environment: str, slot: str) -> str:
    """What a slot's target group is called; two of one name are refused by their tags."""
    return bounded_name(service, environment, slot, longest=TARGET_GROUP)


def former_target_group_name(service: str, environment: str, slot: str) -> str:
    """What it was called before names carried a hash of the whole; what is called so keeps its name."""
    suffix = f"-{environment[:4]}-{slot}"
    room = 32 - len(suffix)
    kept = (
        service
        if len(service) <= room
        else f"{service[: room - 7]}-{hashlib.sha256(service.encode()).hexdigest()[:6]}"
    )
    return kept + suffix
