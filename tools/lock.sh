#!/bin/sh
# Write the locks. Versions stay where pyproject.toml allows them; pass --upgrade for the newest.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-.venv/bin/uv}
"$UV" pip compile --quiet --universal --generate-hashes pyproject.toml \
    --extra calendars --extra plots --extra lab --group layers --group test --group check "$@" --output-file requirements.lock

# What the layers carry, at the versions of requirements.lock. What the first layer has, and what only
# parts of the Kubernetes client need that no function imports, is left out of the second.
lock() {
    layer=$1
    shift
    "$UV" pip compile --quiet "layers/$layer/requirements.txt" --constraints requirements.lock \
        --python-version 3.13 --python-platform aarch64-manylinux_2_28 --generate-hashes \
        --no-annotate --no-header "$@" --output-file "layers/$layer/requirements.lock"
}
lock control_plane
lock kubernetes $(printf -- '--no-emit-package %s ' \
    python-dateutil six typing-extensions urllib3 \
    aiohappyeyeballs aiohttp aiohttp-retry aiosignal attrs frozenlist multidict propcache yarl \
    requests requests-oauthlib oauthlib charset-normalizer idna websocket-client pyyaml durationpy)
# What checks GitHub's signatures, for the functions that look at its tokens.
lock identity $(printf -- '--no-emit-package %s ' typing-extensions)
# What checks the signatures of attestations, for the gate, which has the identity layer too. What only the
# library's own command line imports is left out.
lock provenance $(printf -- '--no-emit-package %s ' \
    cffi cryptography pycparser pyjwt typing-extensions urllib3 \
    rich pygments markdown-it-py mdurl email-validator dnspython)
"$UV" pip compile --quiet tools/requirements.in --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-header --output-file tools/requirements.lock
"$UV" pip compile --quiet tools/site.in --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-header --output-file tools/site.lock
