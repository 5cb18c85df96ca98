"""Servers that the tests talk to, on private ports: PostgreSQL and MariaDB from the system's packages, moto for S3."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REQUIRED = os.environ.get("PENSTOCK_TEST_POSTGRES") == "require"
MARIADB_REQUIRED = os.environ.get("PENSTOCK_TEST_MARIADB") == "require"


@dataclass(frozen=True)
class PostgresServer:
    """A server that can be stopped and started again; `url` is `postgresql://postgres@127.0.0.1:PORT`."""

    programs: Path
    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def start(self) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.home,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self.home / "log"
        _run(self.programs / "pg_ctl", "-D", self.home / "data", "-l", log, "-o", options, "-w", "-t", "60", "start")

    def stop(self) -> None:
        _run(self.programs / "pg_ctl", "-D", self.home / "data", "-m", "immediate", "stop")


@contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL that lives as long as the block; gives `postgresql://postgres@127.0.0.1:PORT`.

    The test is skipped where its programs, psycopg or an account to run it under are missing,
    unless PENSTOCK_TEST_POSTGRES=require.
    """
    with restartable_postgres() as server:
        yield server.url


@contextmanager
def restartable_postgres() -> Iterator[PostgresServer]:
    """The same, to be stopped and started in the block, which it must leave running."""
    programs = _programs()
    home = Path(tempfile.mkdtemp(prefix="penstock-postgres-", dir="/tmp"))  # socket paths must be short
    server = PostgresServer(programs, home, _free_port())
    try:
        if os.getuid() == 0:
            shutil.chown(home, "postgres")
        _run(programs / "initdb", "-D", home / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    lacking = [
        reason
        for reason, missing in {
            "no PostgreSQL in /usr/lib/postgresql (Debian: apt-get install postgresql)": not found,
            "no psycopg (pip install 'penstock[postgres]')": not _has_psycopg(),
            "no user postgres to run it as": os.getuid() == 0 and not _has_account(),
        }.items()
        if missing
    ]
    if lacking and REQUIRED:
        pytest.fail("; ".join(lacking))
    if lacking:
        pytest.skip("; ".join(lacking))
    return found[-1].parent


def _run(program: Path, *arguments: object) -> None:
    command = [str(program), *map(str, arguments)]
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(command, cwd="/tmp", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout


def _has_account() -> bool:
    known = {account.pw_name for account in pwd.getpwall()}
    return "postgres" in known and shutil.which("runuser") is not None


def _has_psycopg() -> bool:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def mariadb_server() -> Iterator[str]:
    """A MariaDB that lives as long as the block; gives `mysql://root@127.0.0.1:PORT`.

    The test is skipped where its programs or an account to run it under are missing, unless
    PENSTOCK_TEST_MARIADB=require.
    """
    _need_mariadb()
    home = Path(tempfile.mkdtemp(prefix="penstock-mariadb-", dir="/tmp"))  # socket paths must be short
    if os.getuid() == 0:
        shutil.chown(home, "mysql")
    account = ["runuser", "-u", "mysql", "--"] if os.getuid() == 0 else []
    data = f"--datadir={home / 'data'}"
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    made = subprocess.run([*account, "mariadb-install-db", "--no-defaults", data, *options], **_QUIET)
    assert made.returncode == 0, made.stdout
    port = _free_port()
    options = [f"--socket={home / 'socket'}", f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve"]
    small = ["--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"]
    server = subprocess.Popen(
        [*account, "mariadbd", "--no-defaults", data, f"--pid-file={home / 'pid'}", *options, *small],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/tmp",
    )
    try:
        _wait_for_mariadb(server, port)
        yield f"mysql://root@127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(home, ignore_errors=True)


_QUIET: dict[str, Any] = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": "/tmp"}


def _need_mariadb() -> None:
    there = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin") and shutil.which("mariadb-install-db")
    account = os.getuid() != 0 or "mysql" in {account.pw_name for account in pwd.getpwall()}
    if there and account:
        return
    lacking = "no MariaDB (Debian: apt-get install mariadb-server)" if not there else "no user mysql to run it as"
    pytest.fail(lacking) if MARIADB_REQUIRED else pytest.skip(lacking)


def _wait_for_mariadb(server: subprocess.Popen[bytes], port: int) -> None:
    import pymysql

    for _ in range(600):
        assert server.poll() is None, "MariaDB ended by itself"
        try:
            pymysql.connect(host="127.0.0.1", port=port, user="root").close()
            return
        except pymysql.OperationalError:
            time.sleep(0.1)
    pytest.fail("MariaDB does not answer")


@contextmanager
def s3_server(bucket: str) -> Iterator[str]:
    """An S3 server (moto) with one bucket, as long as the block; gives its endpoint, `http://127.0.0.1:PORT`."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "ada", "aws_secret_access_key": "key of ada", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket=bucket)
        yield endpoint
    finally:
        server.stop()


@contextmanager
def tmpfs(place: Path, size: str) -> Iterator[Path]:
    """Memory as a small disk, which fills up; only root may mount one."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True) if os.geteuid() == 0 else None
    if mounted is None or mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip() if mounted else 'not root'}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
