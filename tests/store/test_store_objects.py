from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import obstore
import pytest

from penstock.errors import PenstockError, UsageError
from penstock.store.objects import explained, object_store


def failing(url: str, call: Any = obstore.list) -> PenstockError:
    with pytest.raises(PenstockError) as error, explained(url):
        list(call(object_store(url)))
    return error.value


def test_keys_are_relative_to_the_prefix(s3: str) -> None:
    obstore.put(object_store(f"{s3}/a"), "b/c.txt", b"hello")
    with explained(s3):
        (found,) = obstore.list(object_store(s3)).collect()
    assert found["path"] == "a/b/c.txt"
    assert obstore.get(object_store(f"{s3}/a/b/"), "c.txt").bytes() == b"hello"


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_directory_is_an_object_store(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "c.txt").write_bytes(b"hello")
    name = str(tmp_path / "a b")
    opened = object_store(f"file://{name.replace(' ', '%20')}" if scheme else name)
    assert obstore.get(opened, "c.txt").bytes() == b"hello"


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        object_store(tmp_path / "new")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not a directory"):
        object_store(tmp_path / "file")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s4://lake/a", "unknown kind of URL 's4://' (did you mean 's3://'?)"),
        ("s3:///a", "names no bucket"),
        ("s3://ada:hunter2@lake/a", "s3://lake/a: a URL must not hold credentials"),
        ("az://box/a?sig=hunter2", "az://box/a: a URL must not hold credentials"),
    ],
)
def test_a_wrong_url(url: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        object_store(url)
    assert message in str(error.value)
    assert "hunter2" not in str(error.value)


def test_no_bucket(s3: str) -> None:
    assert str(failing("s3://nowhere/a")).startswith("s3://nowhere/a: there is no such bucket")
    assert "no such bucket" in str(failing("s3://nowhere", lambda store: obstore.get(store, "a")))


def test_no_object(s3: str) -> None:
    assert "there is no such object" in str(failing(s3, lambda store: obstore.get(store, "a")))


def test_access_refused(s3: str, s3_endpoint: str) -> None:
    def ask_for_keys(after: str) -> None:
        plain = {"Content-Type": "text/plain"}
        urlopen(Request(f"{s3_endpoint}/moto-api/reset-auth", data=after.encode(), headers=plain)).close()

    ask_for_keys("0")
    try:
        error = str(failing(s3))
    finally:
        ask_for_keys("inf")
    assert "access is refused: InvalidAccessKeyId" in error
    assert "next: check AWS_ACCESS_KEY_ID" in error
    assert "key of ada" not in error


def test_nobody_listens(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.store.objects.RETRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    error = failing("s3://lake/a")
    assert "s3://lake/a: cannot be reached: Connection refused" in str(error)
    assert "AWS_ENDPOINT_URL" in str(error.hint)


def test_plain_http_is_for_this_machine(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1")
    assert "plain HTTP" in str(failing("s3://lake/a"))


def test_no_azure_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(PenstockError, match="no credentials are set") as error:
        object_store("az://box/a")
    assert "AZURE_STORAGE_ACCOUNT_NAME" in str(error.value.hint)


def test_a_profile_is_read_where_the_environment_has_no_key(
    s3: str, s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    keys = "[work]\naws_access_key_id = ada\naws_secret_access_key = 100%secret\n"
    (tmp_path / "credentials").write_text(keys)
    (tmp_path / "config").write_text(f"[profile work]\nregion = eu-west-1\nendpoint_url = {s3_endpoint}\nsso = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    opened: Any = object_store(s3)
    assert opened.config["access_key_id"] == "ada"
    assert opened.config["region"] == "eu-west-1"
    obstore.put(opened, "a", b"1")
    assert obstore.get(opened, "a").bytes() == b"1"


def test_a_profile_that_is_no_profile(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    (tmp_path / "credentials").write_text("aws_access_key_id = hunter2\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with pytest.raises(UsageError, match="not a file of AWS profiles") as error:
        object_store(s3)
    assert "hunter2" not in str(error.value)
