"""Plan a train: an ordered set of releases, all or nothing."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from candlefish.bounds import LONGEST_TIME
from candlefish.catalog.model import Catalog
from candlefish.errors import InvalidInput
from candlefish.ports import Now, Requesters
from candlefish.release.configuration import configured
from candlefish.release.freeze import refuse_frozen
from candlefish.release.payloads import (
    LONGEST_TRAIN,
    Car,
    ReleaseRequest,
    TrainRelease,
    TrainRequest,
    TrainStart,
)
from candlefish.release.ports import Freezes
from candlefish.release.request import check_request
from candlefish.release.train import longest_release, train_order
from candlefish.release.who_asked import find_requester
from candlefish.release.workflow import without_token
from candlefish.requester import Asked, Requester, digest_of
from candlefish.service.model import name_of_car
from candlefish.service.ports import ServiceRecords

# A train longer than this is a programme, not a release; it would also outgrow the payload.

# Bytes of all requests of a train. A state of its machine takes 256 KiB, and puts a little beside them.
LARGEST_TRAIN = 200_000


def plan_train(
    start: TrainStart,
    *,
    environment: str,
    catalog: Catalog,
    records: ServiceRecords,
    freezes: Freezes,
    requesters: Requesters,
    proven: Callable[..., Requester],
    now: Now,
    admit: Callable[..., None] = lambda **_: None,
) -> list[TrainRelease]:
    """The releases of a train in the order of their dependencies, with the names and inputs of their executions.

    Every request is checked before the first one starts, and who asked for the train is written down for each. A service whose stable version is already
    the one asked for is left out. Each release keeps its predecessor at capacity until the last
    one must have ended, so that a late failure can still take the early ones back. `admit` may refuse
    a good train because of where it goes: an environment that is asleep.

    Raises
    ------
    InvalidInput, UnknownService, NotOnboarded, Frozen, EnvironmentAsleep, NotAllowed
        The train cannot be taken as it is; nothing was started.
    """
    request, train = start.request, start.train
    names = [car.service for car in request.releases]
    if not 1 <= len(names) <= LONGEST_TRAIN or len(set(names)) != len(names):
        raise InvalidInput(
            f"a train has 1 to {LONGEST_TRAIN} releases, each of another service; this one has {names}"
        )
    at = now()
    requester = find_requester(request, "train", train, requesters=requesters) or Requester()
    if request.token:
        requester = proven(request.token, names, execution=start.execution)
    requests, frozen = {}, freezes.get()
    for car in request.releases:
        one = _request_of(car, request, train)
        _, env = check_request(one, environment=environment, catalog=catalog, now=at)
        refuse_frozen(frozen, car.service, env.timezone, at, break_glass=one.break_glass)
        version = configured(one.version, car.service, environment, catalog)
        if not version.same_as(records.get(car.service).stable_version):
            requests[car.service] = one
    order = train_order(requests, catalog)
    longest = longest_release(catalog.strategy(environment))
    planned = [
        msgspec.structs.replace(
            requests[name], keep_for=min(longest * (len(order) - 1 - place), LONGEST_TIME)
        )
        for place, name in enumerate(order)
    ]
    if (size := len(msgspec.json.encode(planned))) > LARGEST_TRAIN:
        raise InvalidInput(
            f"the requests of train {train} take {size} bytes, its machine carries {LARGEST_TRAIN}; "
            "nothing was started: shorten the reason, or make two trains of it"
        )
    if order:
        asked = Asked(requester, digest_of(request), at)
        admit(train=train, execution=start.execution, payload=without_token(request), asked=asked)
    for one in planned:
        requesters.keep("release", name_of_car(train, one.service), Asked(requester, digest_of(one), at))
    return [TrainRelease(name_of_car(train, one.service), one) for one in planned]


def _request_of(car: Car, request: TrainRequest, train: str) -> ReleaseRequest:
    return ReleaseRequest(
        service=car.service,
        image=car.image,
        label=car.label,
        bundle=car.bundle,
        bundle_digest=car.bundle_digest,
        reason=request.reason,
        environment=request.environment,
        break_glass=request.break_glass,
        train=train,
    )
