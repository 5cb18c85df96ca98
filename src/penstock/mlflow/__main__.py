"""`python -m penstock.mlflow --project . --port 5000`"""

import argparse
import logging
import sys
from pathlib import Path

from penstock.errors import PenstockError
from penstock.mlflow.server import run_server


def main() -> int:
    """Answer until a signal ends it; the exit code."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        run_server(
            options.project,
            environment=options.env,
            host=options.host,
            port=options.port,
            actor=options.actor,
            attached=options.attached,
        )
    except PenstockError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m penstock.mlflow", description="Answer MLflow's clients.")
    parser.add_argument("--project", type=Path, default=Path(), help="the project's directory")
    parser.add_argument("--env", help="a section of `environments:`")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000, help="0 takes a free one")
    parser.add_argument("--actor", required=True, help="who is written down for what clients decide")
    parser.add_argument("--attached", action="store_true", help="end when standard input closes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
