"""The console: who signs people in, and what they may do there."""

from __future__ import annotations

from typing import Annotated, Literal

from candlefish.catalog.model.scalars import HttpsUrl, MaybeSecretName, Model, text

# What somebody may do, each including what stands before it.
Role = Literal["reader", "operator", "approver"]
ROLES: tuple[Role, ...] = ("reader", "operator", "approver")
# In place of a group: whoever the issuer signs in.
ANYBODY = "*"

Claim = Annotated[str, text(r"[A-Za-z0-9_:/.-]{1,128}", "write a claim's name, like groups")]
Scope = Annotated[str, text(r"[!#-\[\]-~]{1,128}", "write one scope, like openid")]
Client = Annotated[
    str, text(r"[!-~]{1,256}", "write the client's id, as the issuer shows it, without spaces")
]
MaybeClient = Annotated[
    str, text(r"[!-~]{0,256}", "write the audience, as the issuer shows it, without spaces")
]


class Console(Model, frozen=True):
    """Who signs people in to the console and the API, by OpenID Connect; without it there is neither."""

    # As it stands in its tokens (`iss`); `/.well-known/openid-configuration` is below it.
    issuer: HttpsUrl
    # Of the public client that the page is: authorization code with PKCE.
    client: Client
    # Whom tokens must be for, where that is not the client: then the access token is shown, else the id token.
    audience: MaybeClient = ""
    # What is asked for; openid must be in it.
    scopes: tuple[Scope, ...] = ("openid", "profile", "email")
    # The claim that says who somebody is; `oidc` of a person is its value.
    person: Claim = "sub"
    # The claim with the groups that roles are given to.
    groups: Claim = "groups"
    # Groups whose members may look; "*" is everybody whom the issuer signs in.
    reader: tuple[str, ...] = ()
    # Groups whose members may act as well: release, pause, roll back.
    operator: tuple[str, ...] = ()
    # Groups whose members may answer as well; they are approvers in people.yaml, too.
    approver: tuple[str, ...] = ()
    # Secret with the client's own secret, where the issuer wants one.
    secret: MaybeSecretName = ""
    # The page's address, where it has one of your own.
    address: Annotated[
        str, text(r"(?:https://[a-z0-9.-]+(?::\d+)?)?", "write an address like https://releases.example.org")
    ] = ""

    @property
    def meant(self) -> str:
        """Whom tokens must be for."""
        return self.audience or self.client

    def shares_tokens(self, other: Console | None) -> bool:
        """Whether whoever signs in here shows a token that another environment takes."""
        return other is not None and (self.issuer, self.meant) == (other.issuer, other.meant)
