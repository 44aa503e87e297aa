"""An OpenID Connect issuer on loopback: discovery, keys, a page to choose who one is, and tokens for a code with PKCE.

One public client. It asks for no password: whoever reaches the lab is whom he says he is.
https://openid.net/specs/openid-connect-core-1_0.html, RFC 7636 (PKCE), RFC 6749 section 5.2 (errors).
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from lab.web import HttpServer

CLIENT = "candlefish-lab"
# How long a token holds, and a code. Seconds.
LIFE, CODE_LIFE = 3600.0, 60.0
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in to the lab</title>
<meta name="viewport" content="width=device-width"><style>body{{font:16px system-ui;max-width:28rem;margin:4rem auto;padding:0 1rem;color-scheme:light dark}}
li{{margin:.5rem 0}}</style></head><body><main><h1>Sign in to the lab</h1><p>Who are you? The lab believes it.</p><ul>{people}</ul></main></body></html>"""


class _Code(msgspec.Struct, frozen=True):
    """What a code was given for."""

    person: str
    redirect: str
    challenge: str
    nonce: str
    expires: float


class OidcIssuer:
    """Signs tokens for `people`: their claims, by name. `redirects` are where the client may be sent back to."""

    def __init__(
        self, people: Mapping[str, Mapping[str, Any]] | None = None, key: rsa.RSAPrivateKey | None = None
    ) -> None:
        self.people: dict[str, dict[str, Any]] = {
            name: dict(claims) for name, claims in (people or {}).items()
        }
        self.redirects: set[str] = set()
        # Where the client has one of its own.
        self.secret = ""
        self.life = LIFE
        # How often somebody fetched the keys.
        self.fetched = 0
        self._codes: dict[str, _Code] = {}
        self._writing = threading.Lock()
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self._current = ""
        self.rotate(key)
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                split = urlsplit(self.path)
                self._send(*issuer._get(split.path, _flat(split.query)))

            def do_POST(self) -> None:
                size = min(int(self.headers.get("content-length") or 0), 65536)
                self._send(*issuer._post(self.path, _flat(self.rfile.read(size).decode())))

            def _send(self, status: int, body: str, headers: Mapping[str, str]) -> None:
                data = body.encode()
                self.send_response(status)
                for name, value in {"cache-control": "no-store", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Whoever signs in is told by the page."""

        self._server = HttpServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self._server.serve_forever, name="oidc", daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def rotate(self, key: rsa.RSAPrivateKey | None = None, *, forget: bool = False) -> None:
        """Sign with a new key from now on; the old ones are published further unless they are to be forgotten."""
        if forget:
            self._keys.clear()
        self._current = secrets.token_hex(4)
        self._keys[self._current] = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """The key that signs now."""
        return self._keys[self._current]

    @property
    def kid(self) -> str:
        """Its id."""
        return self._current

    def token(self, person: str, **claims: Any) -> str:
        """A token about somebody; `claims` replace what it would say, None leaves one out."""
        now = time.time()
        said = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": person,
            "iat": now,
            "exp": now + self.life,
            **self.people.get(person, {}),
            **claims,
        }
        body = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(body, self.key, algorithm="RS256", headers={"kid": self._current})

    def _get(self, path: str, said: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        if path == "/.well-known/openid-configuration":
            return _json(200, self._discovery())
        if path == "/jwks":
            self.fetched += 1
            keys = [
                {
                    **RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
                    "kid": kid,
                    "use": "sig",
                    "alg": "RS256",
                }
                for kid, key in self._keys.items()
            ]
            return _json(200, {"keys": keys})
        if path == "/authorize":
            return self._authorize(said)
        if path == "/logout":
            back = said.get("post_logout_redirect_uri", "")
            if back in self.redirects:
                return 302, "", {"location": back}
            return 200, "signed out", {"content-type": "text/plain"}
        return _json(404, {"error": "not_found"})

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _authorize(self, said: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        redirect = said.get("redirect_uri", "")
        if said.get("client_id") != CLIENT or redirect not in self.redirects:
            # Nobody is sent to where nobody knows.
            return 400, "unknown client or redirect_uri", {"content-type": "text/plain"}
        wrong = ""
        if said.get("response_type") != "code":
            wrong = "unsupported_response_type"
        elif "openid" not in said.get("scope", "").split():
            wrong = "invalid_scope"
        elif said.get("code_challenge_method") != "S256" or not said.get("code_challenge"):
            wrong = "invalid_request"
        back = {"state": said["state"]} if "state" in said else {}
        if wrong:
            return 302, "", {"location": f"{redirect}?{urlencode({'error': wrong, **back})}"}
        person = said.get("person", "")
        if person not in self.people:
            return self._choose(said)
        code = secrets.token_urlsafe(24)
        with self._writing:
            self._codes[code] = _Code(
                person, redirect, said["code_challenge"], said.get("nonce", ""), time.time() + CODE_LIFE
            )
        return 302, "", {"location": f"{redirect}?{urlencode({'code': code, **back})}"}

    def _choose(self, said: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        links = "".join(
            f'<li><a href="/authorize?{html.escape(urlencode({**said, "person": name}))}">{html.escape(name)}</a>'
            f" {html.escape(', '.join(claims.get('groups', ())))}</li>"
            for name, claims in sorted(self.people.items())
        )
        return 200, _PAGE.format(people=links), {"content-type": "text/html; charset=utf-8"}

    def _post(self, path: str, said: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        if path != "/token":
            return _json(404, {"error": "not_found"})
        if said.get("client_id") != CLIENT or (self.secret and said.get("client_secret") != self.secret):
            return _json(401, {"error": "invalid_client"})
        if said.get("grant_type") != "authorization_code":
            return _json(400, {"error": "unsupported_grant_type"})
        with self._writing:
            # A code counts once, whatever comes of it.
            found = self._codes.pop(said.get("code", ""), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(said.get("code_verifier", "").encode()).digest())
        if (
            found is None
            or time.time() >= found.expires
            or found.redirect != said.get("redirect_uri")
            or proof.rstrip(b"=").decode() != found.challenge
        ):
            return _json(400, {"error": "invalid_grant", "error_description": "the code does not count"})
        nonce = {"nonce": found.nonce} if found.nonce else {}
        return _json(
            200,
            {
                "token_type": "Bearer",
                "expires_in": int(self.life),
                "id_token": self.token(found.person, **nonce),
                "access_token": self.token(found.person, aud="lab-api"),
            },
        )


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


def _json(status: int, body: Any) -> tuple[int, str, dict[str, str]]:
    return status, json.dumps(body), {"content-type": "application/json"}
