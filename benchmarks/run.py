"""`make bench [ONLY=name]`: every claim, a line each, its details on stderr. Ends with 1 when one falls short."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(only: list[str]) -> int:
    files = {file.stem: file for file in sorted(HERE.glob("*.py")) if file.stem != "run"}
    unknown = [name for name in only if name not in files]
    if unknown:
        print(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(files)}", file=sys.stderr)
        return 2
    # a process each: what one has loaded or left behind is not there for the next
    codes = [subprocess.run([sys.executable, files[name]]).returncode for name in only or files]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
