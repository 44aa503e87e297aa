"""What the words mean in which AWS says how a database, a cache or a nodegroup is; every capability reads them here.

A word that is in no list is one that AWS added later: it is waited for, as long as whoever waits has patience, and
then a person is told. Sources: RDS user guide and Aurora user guide, "status" of instances and clusters;
ElastiCache API, ReplicationGroup and GlobalReplicationGroup; EKS API, NodegroupStatus.
"""

from __future__ import annotations

# --- RDS instances, Aurora clusters and global databases ------------------------------------------

# It runs and takes every change that is made here. Its storage may be optimized for more than a day, or loaded for
# hours after it was made from a snapshot; a change that RDS refuses for that is asked for again.
SETTLED = frozenset({"available", "storage-initialization", "storage-optimization"})
# Clients are answered; RDS is at work on it, and may refuse changes until it is done.
AT_WORK = frozenset(
    {
        "backing-up",
        "configuring-activity-stream",
        "configuring-associated-roles",
        "configuring-enhanced-monitoring",
        "configuring-iam-database-auth",
        "configuring-log-exports",
        "maintenance",
        "modifying",
        "preparing-data-migration",
        "storage-config-upgrade",
        "update-iam-db-auth",
        "upgrading",
    }
)
# On the way to be available, and nobody is sure of an answer.
COMING = frozenset(
    {
        "backtracking",
        "converting-to-vpc",
        "creating",
        "failing-over",
        "migrating",
        "moving-to-vpc",
        "promoting",
        "rebooting",
        "renaming",
        "resetting-master-credentials",
        "starting",
        "switching-over",
    }
)
STOPPING = frozenset({"stopping", "stopped"})
LEAVING = frozenset({"delete-precheck", "deleting"})
# It does not come back by itself.
FINAL = frozenset(
    {
        "cloning-failed",
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "incompatible-create",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "migration-failed",
        "restore-error",
        "storage-full",
    }
)
# Clients are answered.
SERVING = SETTLED | AT_WORK

# --- ElastiCache ----------------------------------------------------------------------------------

# A Global Datastore whose secondaries are gone can still be given another primary.
DATASTORE_SETTLED = frozenset({"available", "primary-only"})
CACHE_FINAL = frozenset({"create-failed"})

# --- nodegroups -----------------------------------------------------------------------------------

# Nothing is under way. A degraded one is scaled all the same; its nodes say how many there are.
NODEGROUP_SETTLED = frozenset({"ACTIVE", "DEGRADED", "CREATE_FAILED", "DELETE_FAILED"})
NODEGROUP_FINAL = frozenset({"CREATE_FAILED"})
