"""An MLflow server, read over its REST protocol."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPException
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from penstock.errors import PenstockError, UsageError
from penstock.mlflow.paths import safe_name

_SECONDS = 120.0
_PAGE = 200


class Source:
    """Asks one server."""

    def __init__(self, uri: str) -> None:
        if urlsplit(uri).scheme not in ("http", "https"):
            what, hint = f"{uri!r} is not the address of an MLflow server", "mlflow server --backend-store-uri URI"
            raise UsageError(
                what, expected="http://… or https://…; a database or a directory needs a server", hint=hint
            )
        self.uri = uri.rstrip("/")

    def experiments(self) -> Iterator[Mapping[str, Any]]:
        """Every experiment that is not deleted."""
        yield from self._pages("experiments/search", "experiments")

    def runs(self, experiment: str) -> Iterator[Mapping[str, Any]]:
        """Every run of an experiment that is not deleted."""
        yield from self._pages("runs/search", "runs", experiment_ids=[experiment])

    def models(self) -> Iterator[Mapping[str, Any]]:
        """Every registered model."""
        yield from self._pages("registered-models/search", "registered_models", method="GET")

    def versions(self, model: str) -> list[Mapping[str, Any]]:
        """Every version of a model, the oldest first."""
        text = f"name = '{model}'"
        found = self._pages("model-versions/search", "model_versions", method="GET", filter=text)
        return sorted(found, key=lambda version: int(version["version"]))

    def history(self, run: str, metric: str) -> list[Mapping[str, Any]]:
        """Every value of a metric."""
        answer = self._ask("GET", "metrics/get-history", {"run_id": run, "run_uuid": run, "metric_key": metric})
        found: list[Mapping[str, Any]] = answer.get("metrics", [])
        return found

    def files(self, run: str, path: str = "") -> Iterator[str]:
        """The names of a run's files."""
        answer = self._ask("GET", "artifacts/list", {"run_id": run, "path": path} if path else {"run_id": run})
        for each in answer.get("files", []):
            name = safe_name(each["path"])
            if each.get("is_dir"):
                yield from self.files(run, name)
            else:
                yield name

    def tree(self, place: str, path: str = "") -> Iterator[str]:
        """The names of the files at a place that the server hands out: `0/models/m-7a…/artifacts`."""
        whole = f"{place}/{path}" if path else place
        answer = self._json(Request(f"{self.uri}/api/2.0/mlflow-artifacts/artifacts?{urlencode({'path': whole})}"))
        for each in answer.get("files", []):
            name = safe_name(f"{path}/{each['path']}" if path else each["path"])
            if each.get("is_dir"):
                yield from self.tree(place, name)
            else:
                yield name

    def open_file(self, run: Mapping[str, Any], name: str) -> BinaryIO:
        """A file of a run, wherever the server keeps it."""
        scheme, _, place = run["artifact_uri"].partition(":")
        if scheme == "mlflow-artifacts":
            return self.open_at(place.lstrip("/"), name)
        return self._open(Request(f"{self.uri}/get-artifact?{urlencode({'run_uuid': run['run_id'], 'path': name})}"))

    def open_at(self, place: str, name: str) -> BinaryIO:
        """A file at a place that the server hands out."""
        return self._open(Request(f"{self.uri}/api/2.0/mlflow-artifacts/artifacts/{quote(f'{place}/{name}')}"))

    def _pages(self, path: str, key: str, method: str = "POST", **asked: Any) -> Iterator[Mapping[str, Any]]:
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            answer = self._ask(method, path, {**asked, "max_results": _PAGE, **more})
            yield from answer.get(key, [])
            token = answer.get("next_page_token", "")
            if not token:
                return

    def where(self, version: Mapping[str, Any]) -> str:
        """From where clients load a version."""
        asked = {"name": version["name"], "version": version["version"]}
        return str(self._ask("GET", "model-versions/get-download-uri", asked)["artifact_uri"])

    def _ask(self, method: str, path: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        url = f"{self.uri}/api/2.0/mlflow/{path}"
        if method == "GET":
            return self._json(Request(f"{url}?{urlencode(asked)}"))
        body = json.dumps(asked).encode()
        return self._json(Request(url, data=body, headers={"content-type": "application/json"}, method=method))

    def _json(self, request: Request) -> Mapping[str, Any]:
        with closing(self._open(request)) as answer:
            try:
                found: Mapping[str, Any] = json.load(answer)
            except ValueError as error:
                raise PenstockError("the answer is not JSON: this is no MLflow server", where=self.uri) from error
        return found

    def _open(self, request: Request) -> BinaryIO:
        try:
            answer: BinaryIO = urlopen(request, timeout=_SECONDS)
        except HTTPError as error:
            with error:
                said = error.read(2_000).decode(errors="replace").strip()
            raise PenstockError(f"the server answered {error.code}: {said}", where=request.full_url) from error
        except (URLError, HTTPException, OSError) as error:
            hint = "the same command again goes on where it was"
            raise PenstockError(f"the server does not answer: {error}", where=self.uri, hint=hint) from error
        return answer
