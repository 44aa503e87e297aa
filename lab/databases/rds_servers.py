"""The data behind the lab's RDS: a real PostgreSQL for each instance, reached as instances are reached.

Every instance has an address of its own (of the loopback network, so on Linux only) on port 5432. A connection
to it goes to the server of whichever instance has that name now, if its security groups let it in
and the instance answers. As on AWS, closing the groups keeps new connections out and leaves open
ones open; a restart, a failover or a crash ends them. Replicas stream from their sources, and their
lag is reported to CloudWatch.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.rds import models
from moto.rds.models import rds_backends

from lab.databases.postgres import PostgresFailed, Server, place
from lab.moto import ACCOUNT, replace
from lab.moto.rds import Hooks
from lab.moto.timeline import Timeline
from lab.traffic.addresses import Addresses

PORT = 5432
# Seconds between the transactions that RDS commits by itself.
OWN_BEAT = 300
# RDS's words for instances that take connections.
SERVING = frozenset(
    {
        "available",
        "backing-up",
        "modifying",
        "renaming",
        "resetting-master-credentials",
        "storage-initialization",
        "storage-optimization",
    }
)


class RdsServers(Hooks):
    """The servers and addresses of every instance. Thread-safe.

    Parameters
    ----------
    open_groups
        Security groups that let clients in; any other keeps them out.
    report
        Called with (region, identifier, seconds of lag) for each replica, about once a second.
    """

    def __init__(self, timeline: Timeline, report: Callable[[str, str, float], None]) -> None:
        self.timeline = timeline
        self.report = report
        self.open_groups: set[str] = set()
        self.directory = place()
        self._lock = threading.RLock()
        self._servers: dict[int, Server] = {}
        self._instances: dict[int, Any] = {}
        self._dumps: dict[str, Path] = {}
        self._addresses = Addresses()
        # By region and identifier.
        self._listeners: dict[tuple[str, str], socket.socket] = {}
        self._open: dict[int, set[socket.socket]] = {}
        self._closing = threading.Event()
        self._made = 0
        self._watcher = threading.Thread(target=self._watch, name="replica-lag", daemon=True)

    def install(self) -> None:
        """Give every instance its address."""
        replace(models.DBInstance, "address", property(self.address))
        self._watcher.start()

    def close(self) -> None:
        """Stop every server and remove the files."""
        self._closing.set()
        self._watcher.join(5)
        for listener in self._listeners.values():
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for key in list(self._servers):
                self._hang_up(key)
                self._servers[key].stop()
        self._addresses.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- addresses and connections --------------------------------------------------------------

    def address(self, instance: Any) -> str:
        """Where an instance of that name and region is reached."""
        key = (str(instance.region), str(instance.db_instance_identifier))
        with self._lock:
            address = self._addresses.of("/".join(key))
            if key not in self._listeners:
                self._listeners[key] = socket.create_server((address, PORT))
                arguments = (self._listeners[key], *key)
                threading.Thread(target=self._accept, args=arguments, daemon=True).start()
            return address

    def _accept(self, listener: socket.socket, region: str, identifier: str) -> None:
        while not self._closing.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.timeline.settle()
            instance = rds_backends[ACCOUNT][region].databases.get(identifier)
            server = self._servers.get(id(instance))
            lets_in = instance is not None and bool(self.open_groups & set(instance.vpc_security_group_ids))
            if server is None or instance is None or not lets_in or instance.status not in SERVING:
                client.close()
                continue
            try:
                inside = socket.create_connection(("127.0.0.1", server.port), 2)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open.setdefault(id(instance), set()).update((client, inside))
            for source, target in ((client, inside), (inside, client)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    def _hang_up(self, key: int) -> None:
        for connection in self._open.pop(key, set()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _watch(self) -> None:
        """Let what is due happen, report the lag of replicas, and write as RDS itself does.

        An RDS primary commits a transaction of its own every five minutes, clients or not.
        """
        beat = time.monotonic()
        while not self._closing.wait(0.5):
            self.timeline.settle()
            if time.monotonic() - beat > OWN_BEAT / self.timeline.time_scale:
                beat = time.monotonic()
                self._commit_something()
            with self._lock:
                replicas = [(i, self._servers[key]) for key, i in self._instances.items() if i.is_replica]
            for instance, server in replicas:
                if instance.status in SERVING:
                    lag = server.lag()
                    # RDS says -1 while nothing is replicated.
                    seconds = -1.0 if lag is None else max(0.0, lag)
                    self.report(str(instance.region), instance.db_instance_identifier, seconds)

    def _commit_something(self) -> None:
        with self._lock:
            primaries = [self._servers[key] for key, i in self._instances.items() if not i.is_replica]
        for server in primaries:
            with contextlib.suppress(PostgresFailed):
                server.sql("select txid_current()")

    # --- what RDS does to instances ---------------------------------------------------------------

    def _new(self, instance: Any) -> Server:
        with self._lock:
            self._made += 1
            server = Server(self.directory / str(self._made))
            self._servers[id(instance)], self._instances[id(instance)] = server, instance
            return server

    def primary(self, instance: Any) -> Server:
        """Put an empty server behind an instance that was just created."""
        server = self._new(instance)
        server.create()
        return server

    def server(self, region: str, identifier: str) -> Server:
        """The server behind an instance."""
        return self._servers[id(rds_backends[ACCOUNT][region].databases[identifier])]

    def down(self, instance: Any) -> None:
        self._hang_up(id(instance))
        if server := self._servers.get(id(instance)):
            server.stop()

    def up(self, instance: Any) -> None:
        if server := self._servers.get(id(instance)):
            server.start()

    def promoted(self, instance: Any) -> None:
        self._hang_up(id(instance))
        if server := self._servers.get(id(instance)):
            server.promote()

    def replicate(self, instance: Any, source: Any) -> None:
        self._new(instance).replica_of(self._servers[id(source)])

    def snapshotted(self, instance: Any, snapshot: Any) -> None:
        if (server := self._servers.get(id(instance))) is not None:
            file = self.directory / "dumps" / f"{snapshot.db_snapshot_identifier.replace(':', '-')}.dump"
            server.dump(file)
            self._dumps[snapshot.db_snapshot_identifier] = file

    def restored(self, instance: Any, snapshot: Any) -> str:
        dump = self._dumps.get(snapshot.db_snapshot_identifier)
        if dump is None:
            return "incompatible-restore"
        server = self._new(instance)
        server.create()
        try:
            server.restore(dump)
        except PostgresFailed:
            return "incompatible-restore"
        return "available"

    def credentials(self, instance: Any) -> None:
        secret = instance.master_user_secret.secret
        known = json.loads(next(iter(secret.versions.values()))["secret_string"])
        if server := self._servers.get(id(instance)):
            password = known["password"].replace("'", "''")
            server.sql(f"create role {known['username']} superuser login password '{password}'")

    def deleted(self, instance: Any) -> None:
        self._hang_up(id(instance))
        with self._lock:
            server = self._servers.pop(id(instance), None)
            self._instances.pop(id(instance), None)
        if server is not None:
            server.destroy()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until either side hangs up."""
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
