"""AWS on one machine: moto as a server in this process, with what the lab adds (`lab.moto`).

One at a time in a process: the changes to moto reach every account and region. A lab that stops
leaves moto as it was, and empty.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
from moto.core.config import default_user_config
from moto.iam.models import iam_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from lab import faults as fault_rules
from lab.aws import whoami
from lab.aws.function_urls import FunctionUrls
from lab.aws.gateway import Gateway
from lab.aws.http_apis import HttpApis
from lab.aws.log_metrics import LogMetrics
from lab.aws.networks import Networks
from lab.aws.recorded_calls import Witness
from lab.aws.service_metrics import ServiceMetrics
from lab.faults import Faults
from lab.functions.pool import Functions, Spec
from lab.moto import (
    ACCOUNT,
    alarms,
    cloudformation,
    cloudformation_types,
    dynamodb,
    eks_access,
    eventbridge,
    iam,
    listener_rules,
    metrics,
    quick,
    quotas,
    restore,
    route53,
    schedules,
    step_functions,
)
from lab.moto.lambdas import Lambdas
from lab.pace import Pace

LOG = logging.getLogger("lab")


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """The gateway keeps the record of calls."""

    def log(self, type: str, message: str, *args: Any) -> None:
        LOG.debug(message, *args)


class Aws:
    """The AWS side of the lab.

    Parameters
    ----------
    directory
        Where logs and unpacked code go (`.lab`).
    port
        Where the API listens on 127.0.0.1; 0 takes a free one.
    time_scale
        Rates, alarm periods and retry pauses are divided by it.
    """

    def __init__(
        self, directory: Path, port: int = 0, time_scale: float = 60.0, faults: Faults | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        default_user_config["stepfunctions"] = {"execute_state_machine": True}
        default_user_config["core"]["mock_credentials"] = False
        self.directory = directory
        self.time_scale = time_scale
        self.faults = faults or Faults()
        self.pace = Pace(time_scale)
        self.pace.under_way.append(step_functions.anything_runs)
        self.authority = iam.Authority()
        self._witness: Witness | None = None
        self.functions = Functions(directory, self.faults, credentials=self._credentials)
        self.quotas = quotas.Quotas()
        self.functions.unreserved = self.quotas.unreserved
        self.networks = Networks()
        self.functions.closed_to = self.networks.closed_to
        self.lambdas = Lambdas(self.functions, directory, time_scale, self.pace, self.authority)
        self.bus = eventbridge.Bus(self.lambdas, self.faults, self.pace, self.authority)
        self.schedules = schedules.Schedules(self.bus, self.pace)
        self.alarms = alarms.Alarms(time_scale, self.pace, self.authority)
        self.urls = FunctionUrls(self.lambdas, ACCOUNT, self.pace, self.authority)
        self.http_apis = HttpApis(self.lambdas, ACCOUNT, self.pace, self.authority)
        self.gateway = Gateway(
            DomainDispatcherApplication(create_backend_app),
            self.faults,
            self._caller_of,
            self.functions.kill_caller,
            self.pace,
            self.authority,
            time_scale,
        )
        self.gateway.shut_in = self._shut_in
        self.service_metrics = ServiceMetrics(self.functions, time_scale, self.pace)
        self.log_metrics = LogMetrics(self.functions)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, self.gateway, threaded=True, request_handler=_Handler
        )
        # Faults drop connections under the server; that is no news.
        setattr(self._server, "handle_error", lambda *about: LOG.debug("a connection ended early"))  # noqa: B010
        self.port: int = self._server.server_port
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._install()

    def _install(self) -> None:
        global _installed
        if _installed:
            raise RuntimeError("this process runs a lab already; stop it before another starts")
        _installed = True
        os.environ["MOTO_PORT"] = str(self.port)
        step_functions.install(self.endpoint, self.time_scale, self.authority)
        self.lambdas.install()
        self.bus.install()
        self.alarms.install()
        self.urls.install()
        metrics.install()
        quick.install()
        listener_rules.install()
        route53.install()
        eks_access.install()
        dynamodb.install()
        cloudformation.install(self.endpoint, cloudformation_types.clients(self.endpoint))
        self.quotas.install()
        cloudformation_types.install(self.endpoint, self.http_apis.makers())
        self.functions.environment["AWS_ENDPOINT_URL"] = self.endpoint
        if "CANDLEFISH_RECORD_CALLS" in os.environ:
            witness = self._witness = Witness()
            self.authority.watch = lambda caller, ask, refused: witness.see(
                caller.name, caller.role, ask, refused
            )
        self.gateway.who_signed = lambda environ, respond: whoami.answer(environ, self.urls.identity, respond)
        self.gateway.controls["faults"] = self._control_faults
        self.gateway.controls["schedules"] = self._control_schedules
        self.gateway.controls["calls"] = self._control_calls
        self.gateway.controls["refusals"] = self._control_refusals

    def start(self) -> None:
        """Serve, evaluate alarms and fire schedules in the background."""
        self.functions.prepare()
        threading.Thread(target=self._server.serve_forever, name="aws", daemon=True).start()
        self.schedules.start()
        self.alarms.start()
        self.service_metrics.start()
        self.log_metrics.start()

    def stop(self) -> None:
        """Stop serving and end every function's worker."""
        self.schedules.close()
        self.alarms.close()
        self.service_metrics.close()
        self.log_metrics.close()
        self.urls.close()
        self.http_apis.close()
        self.bus.close()
        self.lambdas.close()
        self._server.shutdown()
        self._server.server_close()
        self.functions.close()
        if self._witness is not None:
            self._witness.leave(Path(os.environ["CANDLEFISH_RECORD_CALLS"]))
        restore()
        metrics.reset()
        moto_api_backend.reset()
        global _installed
        _installed = False

    # --- identities --------------------------------------------------------------------------

    def _credentials(self, spec: Spec) -> tuple[str, str, str]:
        fn = self.lambdas.find(spec.name, ACCOUNT, spec.region)
        role = fn.role if fn is not None else f"arn:aws:iam::{ACCOUNT}:role/{spec.name}"
        return iam.keys_of(role, spec.name, spec.region)

    def _shut_in(self, access_key: str, service: str) -> bool:
        spec = self.functions.spec_of(access_key)
        return spec is not None and self.networks.shut_in(spec, service)

    def _caller_of(self, access_key: str) -> str:
        if name := self.functions.name_of(access_key):
            return name
        return self.user_of(access_key) or access_key

    @staticmethod
    def user_of(access_key: str) -> str | None:
        """The IAM user that an access key belongs to."""
        for user in iam_backends[ACCOUNT]["aws"].users.values():
            if any(key.access_key_id == access_key for key in user.access_keys):
                return str(user.name)
        return None

    # --- the control endpoint ------------------------------------------------------------------

    def _control_faults(self, method: str, rest: str, body: bytes) -> tuple[int, Any]:
        if method == "POST":
            return 201, {"id": self.faults.add(fault_rules.parse(body))}
        if method == "DELETE":
            if rest:
                self.faults.remove(rest)
            else:
                self.faults.clear()
            return 200, {}
        return 200, list(self.faults.list())

    def _control_schedules(self, method: str, rest: str, body: bytes) -> tuple[int, Any]:
        if method == "POST" and rest == "pause":
            self.schedules.paused.set()
            return 200, {}
        if method == "POST" and rest == "resume":
            self.schedules.paused.clear()
            return 200, {}
        if method == "POST" and rest:
            fired = self.schedules.fire(rest)
            return (
                (200, {"fired": fired}) if fired else (404, {"error": f"no schedule's ARN contains {rest}"})
            )
        return 200, self.schedules.names()

    def _control_calls(self, method: str, rest: str, body: bytes) -> tuple[int, Any]:
        if method == "DELETE":
            self.gateway.forget_calls()
            return 200, {}
        return 200, [msgspec.structs.asdict(call) for call in self.gateway.calls]

    def _control_refusals(self, method: str, rest: str, body: bytes) -> tuple[int, Any]:
        if method == "DELETE":
            self.authority.refusals.clear()
            return 200, {}
        return 200, [msgspec.structs.asdict(each) for each in list(self.authority.refusals)]


_installed = False
