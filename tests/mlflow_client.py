"""The protocol, spelled out over plain HTTP."""

from typing import Any

import httpx


class Client:
    """The protocol, spelled out."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/api/2.0", timeout=60)

    def get(self, path: str, /, **asked: Any) -> Any:
        return self._answer(self.http.get(f"/mlflow/{path}", params=asked))

    def post(self, path: str, /, **asked: Any) -> Any:
        return self.send("POST", path, **asked)

    def send(self, method: str, path: str, /, **asked: Any) -> Any:
        return self._answer(self.http.request(method, f"/mlflow/{path}", json=asked))

    def refusal(self, method: str, path: str, /, **asked: Any) -> tuple[int, str, str]:
        """Status, code and message of a refusal."""
        how = {"params": asked} if method == "GET" else {"json": asked}
        answer = self.http.request(method, f"/mlflow/{path}", **how)
        return answer.status_code, answer.json()["error_code"], answer.json()["message"]

    def start_run(self, experiment: str = "0", **more: Any) -> str:
        return self.post("runs/create", experiment_id=experiment, **more)["run"]["info"]["run_id"]

    def put(self, path: str, content: bytes) -> httpx.Response:
        return self.http.put(f"/mlflow-artifacts/artifacts/{path}", content=content)

    def _answer(self, answer: httpx.Response) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()
