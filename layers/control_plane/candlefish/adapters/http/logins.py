"""Who pulls from which registry: a secret like the one that `docker login` or Kubernetes keeps.

    {"auths": {"ghcr.io": {"username": "...", "password": "..."}, "registry.example.com:5000": {"auth": "..."}}}

(`auth` is base64 of `user:password`.) One login alone, `user:password` or `{"username": ..., "password": ...}`, counts
for the one registry that the catalog's images are in, and for nobody else's.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection

import msgspec

from candlefish.adapters.http.references import ecr_region, known_as
from candlefish.bounds import NO_JSON
from candlefish.errors import Misconfigured

HOW = (
    '{"auths": {"<registry>": {"username": "...", "password": "..."}}}, as a secret of type '
    "kubernetes.io/dockerconfigjson has it"
)


class Entry(msgspec.Struct, frozen=True):
    """One login, as Docker writes it."""

    username: str = ""
    password: str = ""
    auth: str = ""
    identitytoken: str = ""


class DockerConfig(msgspec.Struct, frozen=True):
    """`config.json` of Docker, or a single login."""

    auths: dict[str, Entry] = {}
    username: str = ""
    password: str = ""


class RegistryLogins:
    """Gives "user:password" for a registry's host, or "".

    Parameters
    ----------
    secret
        Reads the secret's text; empty for none. Asked once for each function instance and registry that wants a login.
    hosts
        The registries of the catalog's images.
    ecr
        Gives a login at the private ECR registries of a region: they need no secret.
    """

    def __init__(self, secret: Callable[[], str], hosts: Collection[str], ecr: Callable[[str], str]) -> None:
        self._secret = secret
        self._hosts = frozenset(hosts)
        self._ecr = ecr

    def login(self, host: str) -> str:
        """Raises `Misconfigured` when the secret cannot be read, or does not say for which registry it is."""
        if region := ecr_region(host):
            return self._ecr(region)
        text = self._secret().strip()
        return _login(text, known_as(host), self._hosts) if text else ""


def _login(text: str, host: str, hosts: frozenset[str]) -> str:
    if not text.startswith("{"):
        return _only(text, host, hosts)
    try:
        config = msgspec.json.decode(text, type=DockerConfig)
    except NO_JSON:
        # The decoder's message would quote the secret.
        raise Misconfigured(f"RegistrySecretArn's secret is no login at registries; write {HOW}") from None
    if config.username:
        return _only(f"{config.username}:{config.password}", host, hosts)
    entry = next((each for name, each in config.auths.items() if known_as(name) == host), None)
    return _of(entry, host) if entry else ""


def _only(login: str, host: str, hosts: frozenset[str]) -> str:
    """A login without a registry: the one that the images are in."""
    mine = {each for each in hosts if not ecr_region(each)}
    if len(mine) > 1 and host in mine:
        raise Misconfigured(
            f"RegistrySecretArn's secret is one login, and the catalog's images are in {', '.join(sorted(mine))}: one "
            f"registry's login is not shown to another; write {HOW}"
        )
    return login if mine == {host} else ""


def _of(entry: Entry, host: str) -> str:
    if entry.username:
        return f"{entry.username}:{entry.password}"
    if entry.auth:
        try:
            return base64.b64decode(entry.auth, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Misconfigured(
                f"RegistrySecretArn's secret has an auth for {host} that is no base64"
            ) from None
    if entry.identitytoken:
        raise Misconfigured(
            f"RegistrySecretArn's secret has an identity token for {host}, which one person's login is; name a service "
            "account's username and password"
        )
    return ""
