import io
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from train.train_environments import environment, run_in, wheel

import penstock.train.environment.wheels as wheels
from penstock.train.environment.capture import record_digest
from penstock.train.environment.wheels import file_name, from_installer, installed_files, origin, pack

EDITABLE = {"url": Path(__file__).resolve().parents[2].as_uri(), "dir_info": {"editable": True}}
LOCAL = {"url": "file:///somewhere/threadpoolctl", "dir_info": {}}


def names(archive: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return opened.namelist()


def test_what_an_index_gave_has_no_origin() -> None:
    assert origin(distribution("numpy")) is None


def test_an_installed_distribution_is_packed_with_the_record_that_it_was_installed_with() -> None:
    installed = distribution("threadpoolctl")
    record, packed = pack(installed, LOCAL)
    assert packed is not None
    assert record_digest(record) == record_digest(installed.read_text("RECORD") or "")
    assert file_name(packed) == f"threadpoolctl-{installed.version}-py3-none-any.whl"
    assert not any(map(from_installer, names(packed)[:-1]))


def test_of_an_editable_installation_the_imported_packages_are_packed() -> None:
    record, packed = pack(distribution("penstock"), EDITABLE)
    assert packed is not None
    assert {"penstock/train/environment/wheels.py", "penstock/pipeline/templates/penstock.yaml"} & {*names(packed)}
    assert not any(name.endswith((".pyc", ".pth")) for name in names(packed))
    assert "tests/" not in record
    assert pack(distribution("penstock"), EDITABLE) == (record, packed)


def test_a_packed_wheel_is_packed_the_same_where_it_is_installed(tmp_path: Path) -> None:
    first = environment(tmp_path / "one", wheel(tmp_path / "wheels", "rounding", "1.0", "DIGITS = 2\n"))
    script = (
        "import sys; from importlib.metadata import distribution; from pathlib import Path;"
        "from penstock.train.environment.wheels import pack, file_name, origin; found = distribution('rounding');"
        "packed = pack(found, origin(found) or {'url': 'file:///x'})[1];"
        "Path(sys.argv[1], file_name(packed)).write_bytes(packed)"
    )
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    run_in(first, script, tmp_path / "a")
    (packed,) = (tmp_path / "a").iterdir()
    run_in(environment(tmp_path / "two", packed), script, tmp_path / "b")
    assert packed.read_bytes() == (tmp_path / "b" / packed.name).read_bytes()


def test_a_large_one_is_told_but_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "MAX_BYTES", 1000)
    record, packed = pack(distribution("threadpoolctl"), LOCAL)
    assert packed is None
    assert "threadpoolctl.py,sha256=" in record


def test_the_environment_and_the_place_of_the_code_are_no_part_of_an_editable_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code").mkdir()
    for place in (tmp_path, tmp_path / "code"):
        name = f"mine_in_{place.name.replace('-', '_')}"
        (place / f"{name}.py").write_text("")
        monkeypatch.syspath_prepend(place)
        __import__(name)
    monkeypatch.chdir(tmp_path / "code")
    source = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    found = [name for name in installed_files(distribution("threadpoolctl"), source) if ".dist-info/" not in name]
    assert len(found) == 1
    assert found[0].startswith("mine_in_test_the_environment")
