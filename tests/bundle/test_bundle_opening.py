"""Every way in that is not the front door."""

import json
import os
import random
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.bundle import export, open_bundle, verify_bundle
from penstock.digest import canonical_json, digest_bytes
from penstock.errors import Untrusted, UsageError
from penstock.signing import Signer, load_signer

PER_TEST = HealthCheck.function_scoped_fixture


def sign(directory: Path, text: bytes, signer: Signer) -> None:
    proof = {"public_key": signer.public, "signature": signer.sign(text)}
    (directory / "bundle.json").write_bytes(text)
    (directory / "bundle.sig").write_bytes(canonical_json(proof))


def rewrite(directory: Path, signer: Signer, **changes: object) -> None:
    """A manifest with other values, signed as if it were sound."""
    sign(directory, canonical_json(json.loads((directory / "bundle.json").read_bytes()) | changes), signer)


def replace_file(directory: Path, signer: Signer, path: str, data: bytes) -> None:
    """A file with other bytes, listed and signed as if it were sound: what a trusted key could sign by mistake."""
    (directory / path).parent.mkdir(parents=True, exist_ok=True)
    (directory / path).write_bytes(data)
    files = json.loads((directory / "bundle.json").read_bytes())["files"]
    files[path] = {"blake3": digest_bytes(data), "sha256": sha256(data).hexdigest(), "bytes": len(data)}
    rewrite(directory, signer, files=files)


def test_an_unsigned_bundle_is_refused(directory, signer):
    (directory / "bundle.sig").unlink()

    with pytest.raises(Untrusted, match=r"the bundle has no bundle\.sig"):
        open_bundle(directory, trusted=[signer.public])


def test_a_strangers_signature_is_refused(directory, signer, tmp_path):
    stranger = load_signer(tmp_path / "stranger")
    sign(directory, (directory / "bundle.json").read_bytes(), stranger)

    with pytest.raises(Untrusted, match="signed by a stranger"):
        open_bundle(directory, trusted=[signer.public])
    assert open_bundle(directory, trusted=[signer.public, stranger.public]).check_probe()


def test_somebody_elses_signature_under_a_trusted_name_is_refused(directory, signer, tmp_path):
    forged = load_signer(tmp_path / "stranger").sign((directory / "bundle.json").read_bytes())
    (directory / "bundle.sig").write_bytes(canonical_json({"public_key": signer.public, "signature": forged}))

    with pytest.raises(Untrusted, match="the signature does not fit"):
        open_bundle(directory, trusted=[signer.public])


@pytest.mark.parametrize("proof", [b"", b"[]", b"{}", b'{"public_key": 1, "signature": null}', b"\xff", b"[" * 4000])
def test_what_is_no_signature_is_refused(directory, signer, proof):
    (directory / "bundle.sig").write_bytes(proof)

    with pytest.raises(Untrusted):
        open_bundle(directory, trusted=[signer.public])


def test_an_altered_manifest_is_refused(directory, signer):
    text = (directory / "bundle.json").read_bytes()
    (directory / "bundle.json").write_bytes(text.replace(b'"threshold":0.25', b'"threshold":0.95'))

    with pytest.raises(Untrusted, match="the signature does not fit the manifest"):
        open_bundle(directory, trusted=[signer.public])


@pytest.mark.parametrize("path", ["model.skops", "code/pipeline.py", "profile.json", "probe/requests.parquet"])
def test_an_altered_file_is_refused_and_named(directory, signer, path):
    data = bytearray((directory / path).read_bytes())
    data[len(data) // 2] ^= 1
    (directory / path).write_bytes(data)

    with pytest.raises(Untrusted, match=f"{path} is not what was sealed"):
        open_bundle(directory, trusted=[signer.public])


def test_a_missing_file_is_refused(directory, signer):
    (directory / "code" / "dates.py").unlink()

    with pytest.raises(Untrusted, match=r"lacks code/dates\.py"):
        open_bundle(directory, trusted=[signer.public])


@pytest.mark.parametrize("path", ["model.pkl", "code/extra.py", "code/__pycache__/pipeline.cpython-311.pyc"])
def test_a_file_too_many_is_refused(directory, signer, path):
    (directory / path).parent.mkdir(exist_ok=True)
    (directory / path).write_bytes(b"x")

    with pytest.raises(Untrusted, match=f"does not list: {path}"):
        open_bundle(directory, trusted=[signer.public])


def test_opening_leaves_no_file_behind(draft, directory, signer):
    before = sorted(directory.rglob("*"))
    for _ in range(2):
        bundle = open_bundle(directory, trusted=[signer.public])
        bundle.predict(draft.requests[:2], draft.views)

    assert sorted(directory.rglob("*")) == before


@pytest.mark.parametrize("path", ["model.skops", "code"])
def test_a_link_is_refused(directory, signer, tmp_path, path):
    shutil.move(directory / path, tmp_path / "elsewhere")
    (directory / path).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Untrusted, match=f"{path} is a link"):
        open_bundle(directory, trusted=[signer.public])


def test_a_pipe_is_refused_and_not_read(directory, signer):
    (directory / "profile.json").unlink()
    os.mkfifo(directory / "profile.json")

    with pytest.raises(Untrusted, match="is a link or a device"):
        open_bundle(directory, trusted=[signer.public])


@pytest.mark.parametrize(
    "path",
    ["../outside", "/etc/passwd", "code/../../outside", "code//pipeline.py", "a\\b", "code/.", "", "é\n", "a" * 300],
)
def test_a_path_out_of_the_bundle_is_refused(directory, signer, path):
    files = json.loads((directory / "bundle.json").read_bytes())["files"]
    rewrite(directory, signer, files={**files, path: files["profile.json"]})

    with pytest.raises(Untrusted, match="unsafe path"):
        open_bundle(directory, trusted=[signer.public])


def test_a_huge_manifest_is_not_read(directory, signer):
    with (directory / "bundle.json").open("r+b") as file:
        file.truncate(1 << 30)

    with pytest.raises(Untrusted, match=r"bundle\.json is 1,073,741,824 bytes"):
        open_bundle(directory, trusted=[signer.public])


def test_a_huge_bundle_is_not_read(directory, signer):
    with (directory / "model.skops").open("r+b") as file:
        file.truncate(3 << 30)

    with pytest.raises(Untrusted, match="too large"):
        open_bundle(directory, trusted=[signer.public])


@pytest.mark.parametrize(
    "changes", [{"manifest": "penstock.bundle/0"}, {"files": []}, {"files": None}, {"signature": 7}, {"target": {}}]
)
def test_a_manifest_of_another_shape_is_refused(directory, signer, changes):
    rewrite(directory, signer, **changes)

    with pytest.raises(Untrusted):
        open_bundle(directory, trusted=[signer.public])


def test_code_that_is_not_the_code_of_the_features_is_refused(directory, signer):
    replace_file(directory, signer, "code/dates.py", b"def is_weekend(times):\n    return times.dt.weekday() >= 5\n")

    with pytest.raises(Untrusted, match="not the code that it was trained with"):
        open_bundle(directory, trusted=[signer.public])


def test_a_model_that_is_no_archive_is_refused_even_when_signed(directory, signer):
    replace_file(directory, signer, "model.skops", b"\x80\x04\x95cos\nsystem\n")

    with pytest.raises(Untrusted, match="not a sound skops archive") as caught:
        open_bundle(directory, trusted=[signer.public])
    assert caught.value.where == str(directory)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, suppress_health_check=[PER_TEST])
def test_no_single_changed_byte_passes(directory, signer, seed):
    chance = random.Random(seed)
    path = chance.choice([path for path in sorted(directory.rglob("*")) if path.is_file()])
    whole = path.read_bytes()
    at = chance.randrange(len(whole))
    path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
    try:
        with pytest.raises(Untrusted):
            verify_bundle(directory, trusted=[signer.public])
    finally:
        path.write_bytes(whole)


def test_a_directory_that_is_not_there_is_a_usage_error(tmp_path, signer):
    with pytest.raises(UsageError, match="there is no bundle here"):
        open_bundle(tmp_path / "nothing", trusted=[signer.public])


def test_an_export_is_kept_when_sound_and_replaced_when_not(directory, sealed, store, signer):
    before = (directory / "bundle.json").stat().st_ino
    again = export(sealed.digest, store, sealed.signature, sealed.public_key, directory.parent)
    assert (again, (again / "bundle.json").stat().st_ino) == (directory, before)

    (directory / "model.skops").write_bytes(b"broken")
    (directory / "extra").write_bytes(b"")
    export(sealed.digest, store, sealed.signature, sealed.public_key, directory.parent)

    assert open_bundle(directory, trusted=[signer.public]).check_probe()
    assert [path.name for path in directory.parent.iterdir()] == [sealed.digest]


def test_exports_at_the_same_time_end_with_one(sealed, store, signer, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        jobs = [
            pool.submit(export, sealed.digest, store, sealed.signature, sealed.public_key, tmp_path / "many")
            for _ in range(16)
        ]
        found = {job.result() for job in jobs}

    assert [path.name for path in (tmp_path / "many").iterdir()] == [sealed.digest]
    assert open_bundle(found.pop(), trusted=[signer.public]).check_probe()
