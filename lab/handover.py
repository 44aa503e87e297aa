"""What a lab writes into its folder for strangers: `env`, `credentials`, `kubeconfig` and `images.json`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.aws.account import Keys


def write_env(directory: Path, values: Mapping[str, str]) -> None:
    """What a shell sources."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    _private(directory / "env", "\n".join(lines) + "\n")


def write_credentials(directory: Path, people: Iterable[Keys]) -> None:
    """Everybody's keys, as profiles of the AWS CLI."""
    profiles = (
        f"[{keys.name}]\naws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret}\n\n"
        for keys in people
    )
    _private(directory / "credentials", "".join(profiles))


def write_kubeconfig(directory: Path, environments: Iterable[str]) -> None:
    """One context an environment, of the files `kubeconfig-ENVIRONMENT`; the first one is current."""
    merged: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [],
        "users": [],
        "contexts": [],
    }
    for name in environments:
        one = json.loads((directory / f"kubeconfig-{name}").read_text())
        merged["clusters"].append({"name": name, "cluster": one["clusters"][0]["cluster"]})
        merged["users"].append({"name": name, "user": one["users"][0]["user"]})
        namespace = one["contexts"][0]["context"]["namespace"]
        context = {"cluster": name, "user": name, "namespace": namespace}
        merged["contexts"].append({"name": name, "context": context})
        merged.setdefault("current-context", name)
    _private(directory / "kubeconfig", json.dumps(merged, indent=2))


def write_images(directory: Path, images: Mapping[str, Mapping[str, str]]) -> None:
    """What can be released: image references by service and version."""
    (directory / "images.json").write_text(json.dumps(images, indent=2) + "\n")


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
