import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from power import Power

from penstock.errors import Damaged
from penstock.signing import load_signer, verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "signing"


def test_a_key_is_made_once_and_read_by_its_owner_alone(path: Path) -> None:
    first = load_signer(path)
    assert load_signer(path).public == first.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_key_survives_a_power_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    power = Power(monkeypatch)
    load_signer(path)
    assert power.leaves(path, below=path.parent)


def test_a_signature_fits_its_key_and_its_data_alone(path: Path) -> None:
    signer = load_signer(path)
    signature = signer.sign(b"data")
    assert verify(signer.public, b"data", signature)
    assert not verify(signer.public, b"other", signature)
    assert not verify(load_signer(path.with_name("other")).public, b"data", signature)
    assert not verify("not hexadecimal", b"data", signature)


def test_threads_that_ask_at_once_get_one_key(path: Path) -> None:
    together = Barrier(6)

    def ask(_: int) -> str:
        together.wait()
        return load_signer(path).public

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(ask, range(6)))) == 1
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_left_does_not_stop_the_next_one_of_its_number(path: Path) -> None:
    path.parent.mkdir()
    path.with_name(f"signing.{os.getpid()}.tmp").write_bytes(b"half")
    assert len(load_signer(path).public) == 64


def test_a_damaged_key_is_named(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"half")
    with pytest.raises(Damaged, match="not 32 bytes"):
        load_signer(path)
