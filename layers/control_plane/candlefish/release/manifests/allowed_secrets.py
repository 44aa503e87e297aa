"""What a chart may say of secrets: those that the catalog names for its service, kept in Secrets of the slot's own."""

from __future__ import annotations

from candlefish.release.manifests.secrets import DRIVER
from candlefish.release.manifests.shape import Allowed, Fields, Leaf, ListOf
from candlefish.release.manifests.values import CONFIG_KEY, OWN_NAME, matching, only, text_up_to

_REMOTE = Leaf(
    "the name of one of the service's `secrets` in the catalog",
    lambda value, reach: (
        isinstance(value, str) and value in {each.name for each in reach.workload.service.secrets}
    ),
    "the operator may read more than this service's",
)
_STORE = Leaf(
    "the environment's `secret_store`",
    lambda value, reach: (
        (store := reach.workload.environment.secret_store) is not None and value == store.name
    ),
    "other stores read with other rights",
)
_CLASS = Leaf(
    "the name of a SecretProviderClass in this bundle",
    lambda value, reach: isinstance(value, str) and value in reach.classes,
    "what is not in the bundle is not part of the version",
)
_SOURCE: dict[str, Allowed] = {
    "key": _REMOTE,
    "property": text_up_to(255),
    "version": text_up_to(64),
    "conversionStrategy": only("Default"),
    "decodingStrategy": only("None", "Base64", "Auto"),
    "metadataPolicy": only("None"),
    "nullBytePolicy": only("Ignore", "Fail"),
}
EXTERNAL_SECRET = Fields(
    {
        "refreshInterval": matching(r"[0-9]{1,6}(?:s|m|h)(?:0m)?(?:0s)?", "a duration like 1h"),
        "refreshPolicy": only("Periodic", "OnChange", "CreatedOnce"),
        "secretStoreRef": Fields(
            {"name": _STORE, "kind": only("ClusterSecretStore", "SecretStore")}, needs=("name",)
        ),
        "target": Fields(
            {
                "name": OWN_NAME,
                "creationPolicy": only("Owner"),
                "deletionPolicy": only("Retain", "Delete"),
            },
            whys={"template": "keep the Secret's keys as the data names them; templates are not looked into"},
        ),
        "data": ListOf(
            Fields(
                {"secretKey": CONFIG_KEY, "remoteRef": Fields(_SOURCE, needs=("key",))},
                needs=("secretKey", "remoteRef"),
            ),
            50,
        ),
        "dataFrom": ListOf(
            Fields(
                {"extract": Fields(_SOURCE, needs=("key",))},
                needs=("extract",),
                whys={"find": "it takes whatever it finds; name each secret"},
            ),
            10,
        ),
    },
    needs=("secretStoreRef",),
)
# What it may read, the role of the service says: the driver asks with the Pod's own.
PROVIDER_CLASS = Fields(
    {
        "provider": only("aws"),
        "parameters": Fields(
            {
                "objects": text_up_to(64 * 1024),
                "region": matching(r"[a-z0-9-]{1,30}", "a region"),
                "usePodIdentity": only("true", "false"),
            },
            needs=("objects",),
        ),
        "secretObjects": ListOf(
            Fields(
                {
                    "secretName": OWN_NAME,
                    "type": only("Opaque"),
                    "data": ListOf(
                        Fields(
                            {"objectName": text_up_to(253), "key": CONFIG_KEY}, needs=("objectName", "key")
                        ),
                        50,
                    ),
                },
                needs=("secretName", "type", "data"),
            ),
            10,
        ),
    },
    needs=("provider", "parameters"),
)
CSI_VOLUME = Fields(
    {
        "driver": only(DRIVER, why="other drivers reach the node or its network"),
        "readOnly": only(True),
        "volumeAttributes": Fields({"secretProviderClass": _CLASS}, needs=("secretProviderClass",)),
    },
    needs=("driver", "readOnly", "volumeAttributes"),
)
