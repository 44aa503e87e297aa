"""What moto works out again for every request, worked out once.

Which backend a host belongs to (it looks through its own folders for that, under a lock that all requests share), which
actions a class of answers has, under which names an attribute of an answer may be found, whose account it is (a lab has
one): none of it changes while a lab runs. When a role was last used nobody asks. Together it was a third of what a call
costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any

from moto.core import responses
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.iam import models as iam_models
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from lab.moto import ACCOUNT, replace, wrap

_HOSTS = 512


def install() -> None:
    """Put what remembers in the place of what works it out."""
    wrap(DomainDispatcherApplication, "get_backend_for_host", lru_cache(_HOSTS))
    wrap(responses, "method_names_from_class", cache)
    wrap(XFormedAttributePicker, "get_possible_keys", _remembering_keys)
    replace(responses.BaseResponse, "get_current_account", lambda response: ACCOUNT)
    replace(iam_models, "mark_account_as_visited", lambda **where: None)


def _remembering_keys(
    possible_keys: Callable[[Any, AttributePickerContext], Iterable[str]],
) -> Callable[[Any, AttributePickerContext], Iterable[str]]:
    known: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def remembering(picker: Any, context: AttributePickerContext) -> Iterable[str]:
        shape, service = context.shape, context.service_model
        # All that the names follow from: the object's class, and the place of the attribute in the service's model.
        place = (
            type(context.obj),
            context.key,
            service and service.service_name,
            shape and (shape.name, shape.type_name, shape.serialization.get("name")),
            getattr(getattr(shape, "parent", None), "name", None),
        )
        if place not in known:
            known[place] = tuple(possible_keys(picker, context))
        return known[place]

    return remembering
