"""What a tool found and the most memory it held, for the benchmark to read."""

import json
import resource
from collections.abc import Iterable
from pathlib import Path


def tell(tool: str, drifted: Iterable[str]) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    Path(f"{tool}.json").write_text(json.dumps({"drifted": sorted(drifted), "peak_mb": peak}))
