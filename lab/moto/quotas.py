"""What an account is allowed: concurrent executions of Lambda, as new accounts and older ones have them.

- A reservation is refused when it leaves less than 100 of the quota to functions without one, or less than the whole
  quota where that is smaller: in a new account, with 10, any.
- Functions without a reservation share what is left; who comes too late is throttled (`lab.functions.pool`).
- A request for more (`service-quotas request-service-quota-increase`) is granted at once.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.awslambda import urls
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import LambdaBackend, LambdaFunction, lambda_backends
from moto.awslambda.responses import LambdaResponse
from moto.servicequotas.responses import ServiceQuotasResponse

from lab.moto import ACCOUNT, replace, wrap

# What an account has that is in use for a while, and one that was just made.
ESTABLISHED = 1000
NEW = 10
# What must be left to functions without a reservation.
_UNRESERVED = 100
_CODE = "L-B99A9384"
Original = Callable[..., Any]


class Quotas:
    """The quotas of each region. `concurrency` is what a region has that nothing else was said of."""

    def __init__(self, concurrency: int = ESTABLISHED) -> None:
        self.concurrency = concurrency
        self._raised: dict[str, int] = {}

    def total(self, region: str) -> int:
        """How many executions may run at a time in a region."""
        return self._raised.get(region, self.concurrency)

    def unreserved(self, region: str, without: str = "") -> int:
        """How many of those functions without a reservation share; `without` the reservation of one function."""
        reserved = sum(
            int(fn.reserved_concurrency or 0)
            for fn in lambda_backends[ACCOUNT][region].list_functions()
            if fn.function_name != without
        )
        return self.total(region) - reserved

    def reserve(self, region: str, function: str, wanted: Any) -> None:
        """Refuse a reservation that leaves too little.

        Raises
        ------
        InvalidParameterValueException
            It does.
        """
        least = min(_UNRESERVED, self.total(region))
        if wanted is not None and self.unreserved(region, function) - int(wanted) < least:
            raise InvalidParameterValueException(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{least}]."
            )

    def reset(self) -> None:
        """Forget what was raised."""
        self._raised.clear()

    def install(self) -> None:
        """Make Lambda and Service Quotas ask this."""
        replace(LambdaBackend, "put_function_concurrency", self._put())
        for name in ("create_from_cloudformation_json", "update_from_cloudformation_json"):
            replace(LambdaFunction, name, classmethod(self._checked(getattr(LambdaFunction, name))))
        path = r"{0}/(?P<api_version>[^/]+)/account-settings/?$"
        urls.url_paths[path] = LambdaResponse.dispatch
        setattr(LambdaResponse, "get_account_settings", self._settings())  # noqa: B010
        setattr(ServiceQuotasResponse, "request_service_quota_increase", self._increase())  # noqa: B010
        wrap(ServiceQuotasResponse, "get_service_quota", self._quota)

    def _put(self) -> Original:
        def put(backend: Any, function_name: str, reserved_concurrency: str) -> str:
            fn = backend.get_function(function_name)
            self.reserve(backend.region_name, fn.function_name, reserved_concurrency)
            fn.reserved_concurrency = reserved_concurrency
            return reserved_concurrency

        return put

    def _checked(self, original: Original) -> Original:
        def checked(cls: Any, /, *args: Any, **more: Any) -> Any:
            # Both are called by name in one place and by position in another.
            given = dict(
                zip(("resource_name", "cloudformation_json", "account_id", "region_name"), args, strict=False)
            )
            given |= more
            properties = given["cloudformation_json"]["Properties"]
            wanted = properties.get("ReservedConcurrentExecutions")
            self.reserve(given["region_name"], properties.get("FunctionName", ""), wanted)
            made = original(*args, **more)
            made.reserved_concurrency = wanted
            return made

        return checked

    def _settings(self) -> Original:
        def get_account_settings(response: Any) -> str:
            region = response.region
            functions = lambda_backends[ACCOUNT][region].list_functions()
            limit = {
                "ConcurrentExecutions": self.total(region),
                "UnreservedConcurrentExecutions": self.unreserved(region),
                "TotalCodeSize": 80530636800,
                "CodeSizeUnzipped": 262144000,
                "CodeSizeZipped": 52428800,
            }
            usage = {"FunctionCount": len(list(functions)), "TotalCodeSize": 0}
            return json.dumps({"AccountLimit": limit, "AccountUsage": usage})

        return get_account_settings

    def _increase(self) -> Original:
        def request_service_quota_increase(response: Any) -> str:
            asked = json.loads(response.body)
            code, value = asked["QuotaCode"], asked["DesiredValue"]
            if code == _CODE:
                self._raised[response.region] = int(value)
            about = {"ServiceCode": asked["ServiceCode"], "QuotaCode": code, "DesiredValue": value}
            return json.dumps({"RequestedQuota": {**about, "Id": "lab", "Status": "APPROVED"}})

        return request_service_quota_increase

    def _quota(self, original: Original) -> Original:
        def get_service_quota(response: Any) -> Any:
            asked = json.loads(response.body)
            if asked.get("QuotaCode") != _CODE:
                return original(response)
            value = float(self.total(response.region))
            return json.dumps({"Quota": {"ServiceCode": "lambda", "QuotaCode": _CODE, "Value": value}})

        return get_service_quota
