"""The errors of the control plane.

Every error is either `Retryable` (the same call may succeed later) or `Permanent` (it will not).
The state machines' Retry and Catch name these classes, because Lambda reports an exception by
its class name: renaming a class here is a change to `statemachines/`, and a test says so.

A message says what happened, to what, and what to do next.
"""


class ControlPlaneError(Exception):
    """Base of every error that the control plane raises on purpose."""


class Retryable(ControlPlaneError):
    """The same call may succeed later; state machines retry it."""


class Permanent(ControlPlaneError):
    """Repeating the call cannot help; state machines catch it."""


class NotYet(ControlPlaneError):
    """What was looked at is not there yet: no failure, the state machine looks again.

    A Retry's interval stands in the definition, so the class says how long the pause is (`PACES`, `not_yet`).
    """


class NotYet5s(NotYet):
    """Look again after 5 seconds."""


class NotYet15s(NotYet):
    """Look again after 15 seconds."""


class NotYet60s(NotYet):
    """Look again after a minute."""


class NotYet180s(NotYet):
    """Look again after 3 minutes."""


class NotYet300s(NotYet):
    """Look again after 5 minutes."""


class NotYet900s(NotYet):
    """Look again after a quarter of an hour."""


class NotYet3600s(NotYet):
    """Look again after an hour."""


# Seconds between two looks, and the class that says so to the machine.
PACES: dict[int, type[NotYet]] = {
    5: NotYet5s,
    15: NotYet15s,
    60: NotYet60s,
    180: NotYet180s,
    300: NotYet300s,
    900: NotYet900s,
    3600: NotYet3600s,
}


def pause(wait: float) -> int:
    """The longest pause between two looks that is no longer than `wait` seconds; the shortest where all are longer."""
    return max((each for each in PACES if each <= wait), default=min(PACES))


def not_yet(reason: str, wait: float) -> NotYet:
    """The error that makes the machine look again after about `wait` seconds (`pause`)."""
    return PACES[pause(wait)](reason)


class RecordContested(Retryable):
    """Other writers changed the record between every read and write of ours."""


class RuleContested(Retryable):
    """The listener rule and the newest record did not come to agree."""


class Throttled(Retryable):
    """AWS or Kubernetes asked us to slow down and our own retries ran out."""


class AskedToWait(Throttled):
    """A service named the seconds after which it may be asked again."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Unavailable(Retryable):
    """A dependency (an AWS API, the cluster's API, a metrics store) did not answer."""


class InvalidInput(Permanent):
    """The input is malformed; nothing was changed."""


class UnknownService(Permanent):
    """The catalog has no such service or environment; nothing was changed."""


class NotOnboarded(Permanent):
    """The service has no target groups, rule or record yet; run `candlefish onboard`."""


class Unreadable(Permanent):
    """What is stored is not what this code can read; nothing was changed, and what it says is not known."""


class RecordTooNew(Unreadable):
    """What is stored was written by newer code in a way that this code would misread; nothing was changed."""


class ServiceBusy(Permanent):
    """Another release holds the service; nothing was changed."""


class Held(Permanent):
    """Something holds the release, so nothing goes forward; the machine waits until nothing does."""


class ReleaseOver(Permanent):
    """The release does not run any more, so it cannot be steered; nothing was changed."""


class StaleGeneration(Permanent):
    """A newer holder took over; whoever gets this must stop and change nothing more."""


class Quarantined(Permanent):
    """The world knows more than the record does; nothing acts by the record before a person has rebuilt it."""


class WorldUnclear(Permanent):
    """What the world shows allows more than one record; a person has to say which slot is good."""


class Frozen(Permanent):
    """A freeze window is open and the request carries no break-glass reason."""


class EnvironmentAsleep(Permanent):
    """The environment sleeps; the release or train was queued and starts by itself when it is awake."""


class VersionKnownBad(Permanent):
    """The version was rolled back before and the request does not insist on it."""


class ImageRefused(Permanent):
    """The image does not pass the environment's gates; nothing was changed."""


class AlreadyStable(Permanent):
    """The version asked for already serves all traffic; there is nothing to do."""


class NothingToRollBack(Permanent):
    """No other version is recorded good and still at capacity."""


class ClusterRefused(Permanent):
    """The Kubernetes API said no: not found, forbidden, invalid, or owned by somebody else."""


class RolloutFailed(Permanent):
    """The cluster cannot bring the version up (image, crash loop, readiness, quota)."""


class NotRetired(Permanent):
    """A rollback's slot was not scaled down in time, or its version did not come back; a person has to look."""


class TargetsUnhealthy(Permanent):
    """The load balancer does not see enough healthy targets to take the weight."""


class SmokeTestFailed(Permanent):
    """The candidate answered a smoke test wrongly at weight 0."""


class HookFailed(Permanent):
    """A hook of the strategy answered no, or did not answer in time."""


class JobFailed(Permanent):
    """A Job of the release did not end well, or not in its time."""


class JudgedBad(Permanent):
    """The canary's metrics are evidence against it."""


class ApprovalDenied(Permanent):
    """A person said no."""


class ApprovalExpired(Permanent):
    """Nobody answered a question in its time."""


class NotAsked(Permanent):
    """A question is answered already, by a promotion or before the machine asked again; it goes on."""


class NotAllowed(Permanent):
    """The caller may not do this (four eyes, scope, or role)."""


class NotSignedIn(NotAllowed):
    """The request shows no token that counts: none, expired, for somebody else, or not the issuer's. Sign in again."""


class AlwaysAwake(Permanent):
    """The environment has no schedule: nobody can ask for other hours than always."""


class Misconfigured(Permanent):
    """The function's own environment or the catalog is wrong; the operator must mend it."""


class FailoverRefused(Permanent):
    """A precondition of a failover does not hold; nothing was changed."""


class BackupUnusable(Permanent):
    """A backup could not be restored, or what came back is not what was backed up."""
