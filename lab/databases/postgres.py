"""Real PostgreSQL servers: what stands behind the lab's RDS instances.

Uses Debian's `postgresql` package (or any `initdb` on the PATH). A data directory is made once and
copied; a replica streams from its source as RDS's do. Servers run as a user without privileges:
PostgreSQL refuses root.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

USER, PASSWORD = "candlefish", "correct horse battery staple"
DATABASE = "app"
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/bin", "/opt/homebrew/bin")
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
wal_level = replica
max_wal_senders = 8
hot_standby = on
wal_keep_size = 256MB
wal_receiver_status_interval = 1s
shared_buffers = 16MB
max_connections = 40
"""


class PostgresFailed(RuntimeError):
    """One of PostgreSQL's programs failed; its text is what it said."""


class PostgresMissing(RuntimeError):
    """There is no PostgreSQL on this machine; its text says how to get one."""


def binary(name: str) -> str:
    """The path of one of PostgreSQL's programs.

    Raises
    ------
    PostgresMissing
        It is not installed.
    """
    for pattern in _PLACES:
        root = Path("/")
        for directory in sorted(root.glob(pattern.lstrip("/")), reverse=True):
            if (directory / name).exists():
                return str(directory / name)
    if found := shutil.which(name):
        return found
    raise PostgresMissing(f"{name} is not installed; run: apt-get install postgresql")


def missing() -> str:
    """Why PostgreSQL cannot be used here; empty when it can."""
    try:
        for name in ("initdb", "pg_ctl", "pg_basebackup", "pg_dump", "pg_restore", "psql"):
            binary(name)
    except PostgresMissing as error:
        return str(error)
    return ""


def _owner() -> str | None:
    """Who runs the servers: nobody else than us, unless we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return name
    raise PostgresMissing("PostgreSQL does not run as root, and there is no other user here")


def run(*command: str, stdin: str = "") -> str:
    """Run one of PostgreSQL's programs as the user who owns the servers; its output.

    Raises
    ------
    PostgresFailed
        It failed; the text says why.
    """
    done = subprocess.run(
        [binary(command[0]), *command[1:]],
        check=False,
        capture_output=True,
        text=True,
        input=stdin,
        user=_owner(),
        cwd="/",
        env={**os.environ, "PGPASSWORD": PASSWORD, "LC_ALL": "C.UTF-8", "PGCONNECT_TIMEOUT": "5"},
    )
    if done.returncode:
        raise PostgresFailed(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


class Server:
    """One server on 127.0.0.1. Not thread-safe."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.port = port or _free_port()

    def sql(self, statement: str, database: str = DATABASE) -> list[list[str]]:
        """Run a statement in the application's database; its rows, NULL as empty text.

        Raises
        ------
        PostgresFailed
            The server does not answer, or refuses it.
        """
        output = run(
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--no-align",
            "--field-separator=\t",
            "--tuples-only",
            "--set=ON_ERROR_STOP=1",
            f"--dbname={database}",
            *self._where(),
            stdin=statement,
        )
        return [line.split("\t") for line in output.splitlines()]

    def create(self) -> None:
        """Make an empty server with data checksums, and start it."""
        _own(self.directory)
        with tempfile.NamedTemporaryFile("w", suffix=".password") as file:
            file.write(PASSWORD)
            file.flush()
            Path(file.name).chmod(0o644)
            run(
                "initdb",
                f"--pgdata={self.data}",
                f"--username={USER}",
                f"--pwfile={file.name}",
                "--auth=scram-sha-256",
                "--data-checksums",
                "--no-sync",
                "--no-locale",
                "--encoding=UTF8",
            )
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write("host replication all 127.0.0.1/32 scram-sha-256\n")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS)
        self.start()
        self.sql(f"create database {DATABASE}", "postgres")

    def replica_of(self, source: Server) -> None:
        """Make a streaming replica of a running server, and start it."""
        _own(self.directory)
        run(
            "pg_basebackup",
            f"--pgdata={self.data}",
            "--host=127.0.0.1",
            f"--port={source.port}",
            f"--username={USER}",
            "--checkpoint=fast",
            "--no-sync",
            "--wal-method=stream",
            "--write-recovery-conf",
        )
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = self.directory / "log"
        options = f"-p {self.port}"
        run("pg_ctl", f"--pgdata={self.data}", f"--log={log}", f"--options={options}", "--wait", "start")

    def stop(self) -> None:
        """Stop it at once, as a failing host does."""
        if (self.data / "postmaster.pid").exists():
            with contextlib.suppress(PostgresFailed):
                run("pg_ctl", f"--pgdata={self.data}", "--mode=immediate", "--wait", "stop")

    def promote(self) -> None:
        """Let a replica take writes."""
        run("pg_ctl", f"--pgdata={self.data}", "--wait", "promote")

    def lag(self) -> float | None:
        """Seconds since the newest transaction that a replica has replayed; None while nothing is replicated."""
        try:
            ((seconds,),) = self.sql(
                "select extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) "
                "where exists (select from pg_stat_wal_receiver where status = 'streaming')"
            ) or ((None,),)
        except PostgresFailed:
            return None
        return float(seconds) if seconds else None

    def dump(self, file: Path) -> None:
        """Dump the application's database in pg_dump's custom format."""
        file.parent.mkdir(parents=True, exist_ok=True)
        _own(file.parent)
        run("pg_dump", "--format=custom", f"--file={file}", *self._where(), DATABASE)

    def restore(self, file: Path) -> None:
        """Restore a dump; a broken one raises `PostgresFailed`."""
        run("pg_restore", "--exit-on-error", f"--dbname={DATABASE}", *self._where(), str(file))

    def _where(self) -> tuple[str, ...]:
        return ("--host=127.0.0.1", f"--port={self.port}", f"--username={USER}", "--no-password")

    def destroy(self) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def _own(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if (owner := _owner()) is not None:
        shutil.chown(directory, owner)


def place() -> Path:
    """A new directory that the servers' user can reach, whoever runs this."""
    made = Path(tempfile.mkdtemp(prefix="candlefish-postgres-"))
    made.chmod(0o711)
    return made


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
