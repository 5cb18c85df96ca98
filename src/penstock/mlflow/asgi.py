"""Bodies in and out, as ASGI hands them over."""

from collections.abc import Sequence

from starlette.types import Receive, Send

from penstock.mlflow.errors import invalid

JSON = ((b"content-type", b"application/json"),)


class ClientGoneError(Exception):
    """The client hung up before the request was complete: nobody waits for a reply."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. ProtocolError beyond `limit` bytes, ClientGoneError when the client hung up."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()  # read on: a client that still sends would see a reset instead of the reply
        if not message.get("more_body", False):
            break
    if size > limit:
        raise invalid(f"the request has {size} bytes", expected=f"at most {limit}: log in smaller batches")
    return b"".join(chunks)


async def respond(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = JSON) -> None:
    """Send a reply."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
