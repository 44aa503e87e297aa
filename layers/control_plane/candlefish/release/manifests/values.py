"""The values that fields of a bundle may have."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from typing import Any

from candlefish.release.manifests.reach import Reach
from candlefish.release.manifests.shape import Leaf

SLOT_SUFFIX = len("-green")
_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_QUALIFIED = "(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)"
_DNS_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LABEL_VALUE = re.compile(rf"{_QUALIFIED}?")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_QUANTITY = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,9})?)(?P<unit>m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS = {"": 1, "m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {f"{prefix}i": 1024**power for power, prefix in enumerate("KMGT", 1)}
# Where a node keeps its own credentials and services.
_NODE_NETWORKS = tuple(
    ipaddress.ip_network(each)
    for each in ("169.254.0.0/16", "127.0.0.0/8", "fe80::/10", "::1/128", "fd00:ec2::/32")
)


def text_up_to(most: int, says: str = "") -> Leaf:
    """Text of at most so many characters."""
    return Leaf(says or f"text of at most {most} characters", lambda value, _: _is_text(value, most))


def matching(pattern: str, says: str, most: int = 253, why: str = "") -> Leaf:
    """Text that matches as a whole."""
    compiled = re.compile(pattern)
    return Leaf(says, lambda value, _: _is_text(value, most) and compiled.fullmatch(value) is not None, why)


def only(*values: Any, why: str = "") -> Leaf:
    """One of these, of the same type: text that reads like a number or a truth value is neither."""
    says = " or ".join(_written(value) for value in values)
    return Leaf(
        says, lambda value, _: any(type(value) is type(each) and value == each for each in values), why
    )


def whole(low: int, high: int, why: str = "") -> Leaf:
    """A whole number, both ends included."""
    return Leaf(f"a whole number from {low} to {high}", lambda value, _: _is_whole(value, low, high), why)


def percent_or_number(says: str, fits: Callable[[int, bool, Reach], bool], why: str = "") -> Leaf:
    """A number of Pods, or a share of them as text; `fits` is told the number and whether it is a share."""

    def check(value: Any, reach: Reach) -> bool:
        if _is_text(value, 4) and value.endswith("%") and value[:-1].isascii() and value[:-1].isdigit():
            return fits(int(value[:-1]), True, reach)
        return _is_whole(value, 0, 10**6) and fits(value, False, reach)

    return Leaf(says, check, why)


def quantity_up_to(most: str, why: str = "") -> Leaf:
    """A Kubernetes quantity above 0 and up to another one."""
    limit = amount(most)
    return Leaf(f"a quantity up to {most}", lambda value, _: 0 < amount(value) <= limit, why)


def amount(value: Any) -> float:
    """A Kubernetes quantity as a number; what is none is -1."""
    if isinstance(value, bool):
        return -1
    if isinstance(value, (int, float)):
        return float(value) if abs(value) < 10**18 and math.isfinite(value) else -1
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    return float(match["number"]) * _UNITS[match["unit"] or ""] if match else -1


def is_network(value: Any) -> bool:
    """Whether it is a network in which no node's own addresses are."""
    found = _network(value)
    return found is not None and not any(
        each.version == found.version and each.overlaps(found) for each in _NODE_NETWORKS
    )


def is_small_network(value: Any) -> bool:
    """Whether it has at most 256 addresses (of IPv6: one subnet's)."""
    found = _network(value)
    return found is not None and found.prefixlen >= (24 if found.version == 4 else 64)


def _network(value: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(value, strict=False) if _is_text(value, 50) and "/" in value else None
    except ValueError:
        return None


def _is_text(value: Any, most: int) -> bool:
    """Whether it is text that UTF-8 can hold: JSON may bring halves of characters."""
    if not isinstance(value, str) or len(value) > most:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _written(value: Any) -> str:
    return (
        {True: "true", False: "false"}[value]
        if isinstance(value, bool)
        else f'"{value}"'
        if value == ""
        else str(value)
    )


def is_name(value: Any) -> bool:
    """Whether it is a DNS-1123 name, with room for the slot behind it."""
    return _is_text(value, 253 - SLOT_SUFFIX) and _DNS_NAME.fullmatch(value) is not None


def is_label_value(value: Any) -> bool:
    return _is_text(value, 63) and _LABEL_VALUE.fullmatch(value) is not None


FLAG = Leaf("true or false", lambda value, _: isinstance(value, bool))
NAME = Leaf(
    "a DNS-1123 name that is not another service's",
    lambda value, reach: is_name(value) and not reach.foreign(value),
    "render with: helm template <service> <chart>",
)
OWN_NAME = Leaf(
    "a name of the service's own: {service}, or {service}- and more",
    lambda value, reach: is_name(value) and reach.owns(value),
    "no other service's objects are within reach",
)
PULL_SECRET = Leaf(
    "a name of the service's own: {service}, or {service}- and more; or one of image_pull_secrets in the catalog",
    lambda value, reach: (
        is_name(value) and (reach.owns(value) or value in reach.workload.service.image_pull_secrets)
    ),
    "name it in the catalog, for the service or for the environment",
)
OWN_CONFIG = Leaf(
    "the name of a ConfigMap in this bundle",
    lambda value, reach: isinstance(value, str) and value in reach.configs,
    "what is not in the bundle is not part of the version",
)
ACCOUNT = Leaf(
    "{service}, the ServiceAccount of this bundle, or `service_account` of the catalog",
    lambda value, reach: (
        isinstance(value, str)
        and (value in ("default", reach.service, reach.workload.account) or value in reach.accounts)
    ),
    "Pods run as their service's own account",
)
FILE_PATH = Leaf("an absolute path without ..", lambda value, _: _is_path(value) and value.startswith("/"))
RELATIVE_PATH = Leaf(
    "a relative path without ..",
    lambda value, _: _is_path(value) and not value.startswith("/"),
    "it must stay in its volume",
)
CONFIG_KEY = Leaf(
    "letters, digits, ., _ and -, at most 253",
    lambda value, _: (
        _is_text(value, 253)
        and _CONFIG_KEY.fullmatch(value) is not None
        and value not in (".", "..")
        and not value.startswith("..")
    ),
)
PORT_NAME = r"(?=.*[a-z])[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){0,14}"
PORT = Leaf(
    "a port from 1 to 65535, or the name of one",
    lambda value, _: (
        _is_whole(value, 1, 65535) or (_is_text(value, 15) and re.fullmatch(PORT_NAME, value) is not None)
    ),
)


def _is_path(value: Any) -> bool:
    return _is_text(value, 1024) and value != "" and "\0" not in value and ".." not in value.split("/")
