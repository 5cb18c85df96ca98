"""Evidently and NannyML as oracles, in environments of their own: `make test-peers`.

Where they define a distance as we do, the numbers are the same; where their bins or units are other ones,
these are made here, and what is compared is the formula.
"""

import json
import subprocess
from math import log, sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from penstock.stats import Profile, chi2_tail, drift, jensen_shannon, kolmogorov_smirnov, psi, wasserstein

pytestmark = pytest.mark.peers
SCRIPTS = Path(__file__).parent / "peers"
MANY = 1e12  # rows, so that half a row of smoothing is nothing
ONE = np.ones(4000)


@pytest.fixture(scope="module")
def tables() -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(20)
    before, later = (
        pl.DataFrame({"number": rng.normal(by, 1 + by, 4000), "level": rng.binomial(6, 0.5 + by / 5, 4000).astype(str)})
        for by in (0.0, 0.3)
    )
    return before, later


@pytest.fixture(scope="module")
def evidently(tables, tmp_path_factory) -> dict[str, float]:
    return values_of("Evidently", "with_evidently.py", tables, tmp_path_factory.mktemp("evidently"))


@pytest.fixture(scope="module")
def nannyml(tables, tmp_path_factory) -> dict[str, float]:
    return values_of("NannyML", "with_nannyml.py", tables, tmp_path_factory.mktemp("nannyml"))


def values_of(peer: str, script: str, tables, directory: Path) -> dict[str, float]:
    from harness import environment  # of benchmarks/

    for name, table in zip(("reference", "current"), tables, strict=True):
        table.write_parquet(directory / f"{name}.parquet")
    done = subprocess.run(
        [environment(peer).python, SCRIPTS / script],
        cwd=directory,
        env={"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "HOME": str(directory)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def on_bins(tables, edges) -> tuple[np.ndarray, np.ndarray]:
    before, later = (np.histogram(table["number"], edges)[0] for table in tables)
    return before, later


def levels(tables) -> tuple[np.ndarray, np.ndarray]:
    names = sorted({*tables[0]["level"], *tables[1]["level"]})
    before, later = (np.asarray([(table["level"] == name).sum() for name in names]) for table in tables)
    return before, later


def without_zeros(counts: np.ndarray) -> np.ndarray:
    """Shares as Evidently fills them: 1e-4 for nothing, or a millionth of the smallest where that is smaller."""
    shares = counts / counts.sum()
    least = shares[shares > 0].min()
    return np.where(shares == 0, least / 1e6 if least <= 1e-4 else 1e-4, shares)


def test_psi_is_evidentlys_where_no_bin_is_empty(tables, evidently):
    p, q = levels(tables)
    assert min(p.min(), q.min()) > 0
    assert psi(p / p.sum() * MANY, q / q.sum() * MANY) == pytest.approx(evidently["level psi"], rel=1e-9)


def test_on_evidentlys_bins_the_distances_are_evidentlys(tables, evidently):
    both = np.concatenate([table["number"].to_numpy() for table in tables])
    p, q = on_bins(tables, np.histogram_bin_edges(both, bins="sturges"))
    ours = psi(without_zeros(p) * MANY, without_zeros(q) * MANY)
    assert ours == pytest.approx(evidently["number psi"], rel=1e-3)  # its shares do not add up to 1 once filled
    assert jensen_shannon(p, q) * sqrt(log(2)) == pytest.approx(evidently["number jensenshannon"], rel=1e-9)


def test_jensen_shannon_is_evidentlys_in_bits(tables, evidently):
    assert jensen_shannon(*levels(tables)) * sqrt(log(2)) == pytest.approx(evidently["level jensenshannon"], rel=1e-9)


def test_wasserstein_is_evidentlys_in_standard_deviations_and_nannymls_in_units(tables, evidently, nannyml):
    x, y = (table["number"].to_numpy() for table in tables)
    ours = wasserstein(x, ONE, y, ONE)
    assert ours / np.std(x) == pytest.approx(evidently["number wasserstein"], rel=1e-9)
    assert ours == pytest.approx(nannyml["number wasserstein"], rel=1e-9)
    reference = Profile.build(tables[0])
    found = drift(reference.columns["number"], Profile.build(tables[1], reference).columns["number"])
    quartiles = np.quantile(x, [0.25, 0.75])
    assert found.wasserstein * np.diff(quartiles)[0] / 1.349 == pytest.approx(nannyml["number wasserstein"], rel=0.01)


def test_the_chi_squared_tail_is_evidentlys(tables, evidently):
    before, later = levels(tables)
    statistic = float(((later - before) ** 2 / before).sum())
    assert chi2_tail(statistic, len(before) - 1) == pytest.approx(evidently["level chisquare"], rel=1e-6, abs=1e-300)
    before, later = np.asarray([16, 18, 16, 14, 12, 12]), np.asarray([16] * 5 + [8])
    assert chi2_tail(float(((later - before) ** 2 / before).sum()), 5) == pytest.approx(0.67309, abs=5e-6)


def test_the_kolmogorov_smirnov_statistic_is_nannymls(tables, nannyml):
    both = np.sort(np.concatenate([table["number"].to_numpy() for table in tables]))
    edges = np.append(both, np.inf)
    assert kolmogorov_smirnov(*on_bins(tables, edges)) == pytest.approx(nannyml["number kolmogorov_smirnov"], abs=1e-12)
    reference = Profile.build(tables[0])
    found = drift(reference.columns["number"], Profile.build(tables[1], reference).columns["number"])
    assert found.ks == pytest.approx(nannyml["number kolmogorov_smirnov"], abs=1 / 64)


def test_on_nannymls_bins_the_jensen_shannon_distance_is_nannymls(tables, nannyml):
    edges = np.histogram_bin_edges(tables[0]["number"].to_numpy(), bins="doane")
    p, q = on_bins(tables, edges)
    ours = jensen_shannon(np.append(p, 0), np.append(q, 4000 - q.sum()))  # what is outside is a bin of its own
    assert ours == pytest.approx(nannyml["number jensen_shannon"], rel=1e-9)
    assert jensen_shannon(*levels(tables)) == pytest.approx(nannyml["level jensen_shannon"], rel=1e-9)
