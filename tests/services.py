"""Servers that the tests talk to, on private ports: a real PostgreSQL from the system's package, moto for S3."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED = os.environ.get("PENSTOCK_TEST_POSTGRES") == "require"


@contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL that lives as long as the block; gives `postgresql://postgres@127.0.0.1:PORT`.

    The test is skipped where its programs, psycopg or an account to run it under are missing,
    unless PENSTOCK_TEST_POSTGRES=require.
    """
    programs = _programs()
    home = Path(tempfile.mkdtemp(prefix="penstock-postgres-", dir="/tmp"))  # socket paths must be short
    port = _free_port()
    try:
        if os.getuid() == 0:
            shutil.chown(home, "postgres")
        _start(programs, home, port)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            _run(programs / "pg_ctl", "-D", home / "data", "-m", "immediate", "stop")
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


def _start(programs: Path, home: Path, port: int) -> None:
    data = home / "data"
    _run(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": home,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "32MB",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    _run(programs / "pg_ctl", "-D", data, "-l", home / "log", "-o", options, "-w", "-t", "60", "start")


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
