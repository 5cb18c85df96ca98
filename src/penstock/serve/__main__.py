"""`python -m penstock.serve --dir .penstock/serve --port 8080`"""

import argparse
import logging
import sys
from pathlib import Path

from penstock.errors import PenstockError
from penstock.serve.limits import MAX_BODY, MAX_ROWS
from penstock.serve.server import run_server


def main() -> int:
    """Serve a directory until a signal ends it; the exit code."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        run_server(
            options.dir,
            host=options.host,
            port=options.port,
            durability=options.durability,
            max_rows=options.max_rows,
            max_body=options.max_body,
            attached=options.attached,
        )
    except PenstockError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m penstock.serve", description="Serve what a serve directory holds.")
    parser.add_argument("--dir", type=Path, required=True, help="the serve directory, such as .penstock/serve")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    parser.add_argument("--durability", choices=("process", "disk"), default="process")
    parser.add_argument("--max-rows", type=int, default=MAX_ROWS, help="in one request")
    parser.add_argument("--max-body", type=int, default=MAX_BODY, help="bytes")
    parser.add_argument("--attached", action="store_true", help="end when standard input closes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
