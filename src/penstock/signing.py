"""Ed25519 signatures: who sealed a bundle, who wrote an audit entry.

The private key is made on first use and lives in the project's `.penstock/keys`, readable by its
owner alone. What is signed names the public key, so it can be checked anywhere.
"""

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.durable import sync
from penstock.errors import Damaged


@dataclass(frozen=True)
class Signer:
    """A private key in memory.

    `public` is the public key, 64 hexadecimal characters.
    """

    public: str
    _private: Any

    def sign(self, data: bytes) -> str:
        """The signature, 128 hexadecimal characters."""
        signature: bytes = self._private.sign(data)
        return signature.hex()


def load_signer(path: Path) -> Signer:
    """The key at `path`, made there when there is none. Safe when several processes ask at once."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not path.exists():
        _create(path, Ed25519PrivateKey.generate().private_bytes_raw())
    raw = path.read_bytes()
    if len(raw) != 32:
        raise Damaged("signing key is not 32 bytes", where=str(path), hint="restore the key from a backup")
    private = Ed25519PrivateKey.from_private_bytes(raw)
    return Signer(public=private.public_key().public_bytes_raw().hex(), _private=private)


def verify(public: str, data: bytes, signature: str) -> bool:
    """Whether `signature` is `public`'s signature of `data`; never raises on malformed input."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _create(path: Path, raw: bytes) -> None:
    """Write the whole key under a private name, then link it: the first process wins, none sees half."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
    sync(path.parent)  # what is signed must not outlive the key
