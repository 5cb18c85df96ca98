"""`penstock train image`: the environment of a run as a container image."""

from typing import Annotated, Any

import typer

from penstock.cli.shell import HERE, AsJson, Environment, Where, answer, project_at, say
from penstock.digest import short

app = typer.Typer()


@app.command()
def image(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="A run's number or id; or the newest.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", "-t", help="NAME:TAG; PROJECT:latest otherwise.")] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", help="An image with the run's Python; or python:VERSION-slim-bookworm."),
    ] = None,
    tool: Annotated[
        str | None, typer.Option("--tool", help="podman, docker or buildah; the first that is there otherwise.")
    ] = None,
    only: Annotated[bool, typer.Option("--containerfile-only", help="Write what it is built from, and stop.")] = False,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Build an image with the environment of a run. For `train.image`, and for a cluster.

    Example: penstock train image --tag churn:1
    """

    def build() -> Any:
        step = project_at(where, environment).train
        told = None if as_json else lambda line: typer.secho(f"  {line}", fg="bright_black", err=True)
        return step.image(run, tag=tag, base=base, tool=tool, only_containerfile=only, progress=told)

    answer(build, _made, as_json)


def _made(found: Any) -> None:
    """The image, or where its Containerfile is."""
    if found.digest is None:
        say(f"wrote {found.directory}/Containerfile")
        say(f"next: podman build --tag NAME {found.directory}")
        return
    say(f"{found.tag} ({short(found.digest)}) has the environment of run {found.run.number}")
    say(f"next: penstock run --set train.image={found.tag}")
