"""What a sealed model says about itself, as far as the monitors compare with it. The model is not loaded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.bundle import Manifest, Target, dtype_of
from penstock.stats import Profile
from penstock.store import Store

if TYPE_CHECKING:
    import polars as pl

PROFILE = "profile.json"
TEXTS = ("String", "Categorical", "Enum")


@dataclass(frozen=True)
class Reference:
    """A bundle's target and threshold, its features with their types, and what both looked like in training.

    key_is_text   whether the request's key column holds texts: "1.1" and "1.10" are two keys then
    """

    target: Target
    threshold: float | None
    key_is_text: bool
    outputs: "tuple[tuple[str, pl.DataType], ...]"
    vectors: Profile
    scores: Profile


def reference_of(store: Store, bundle: str) -> Reference:
    """Read from the store by digest, so every byte is verified. Damaged when it is not there."""
    manifest = Manifest.from_json(store.read_json(bundle))
    profile = store.read_json(manifest.files[PROFILE].blake3)
    return Reference(
        target=manifest.target,
        threshold=manifest.threshold,
        key_is_text=dict(manifest.features.request).get(manifest.features.key or "", "String").startswith(TEXTS),
        outputs=tuple((name, dtype_of(dtype)) for name, dtype in manifest.features.outputs),
        vectors=Profile.from_json(profile["vectors"]),
        scores=Profile.from_json(profile["scores"]),
    )
