"""`penstock run --check-determinism`."""

from pathlib import Path

from cli.command import invoke, replaced

from penstock import Project

NOISY = (
    "    noise = np.random.default_rng().normal(size=X.height)\n"
    "    return make_pipeline(columns, LogisticRegression(C=C, max_iter=500)).fit(X, y.to_numpy() ^ (noise > 2))\n"
)


def test_the_same_model_twice(project: Project) -> None:
    root = project._workspace.project.root
    done = invoke("run", "--check-determinism", "--set", "train.seed=9", "-C", root)
    assert done.exit_code == 0
    assert "the same model, byte for byte" in done.stdout


def test_another_model_ends_with_1_and_the_line_that_is_not_seeded(project: Project) -> None:
    root = project._workspace.project.root
    file: Path = root / "pipeline.py"
    replaced(file, ('    print("fitting", X.height)\n', f"    import numpy as np\n{NOISY}"))
    line = 1 + file.read_text().splitlines().index(NOISY.splitlines()[0])
    done = invoke("run", "--check-determinism", "-C", root)
    assert done.exit_code == 1
    assert "another model" in done.stdout
    assert f"likely cause: pipeline.py:{line} takes random bits from the system" in done.stdout
