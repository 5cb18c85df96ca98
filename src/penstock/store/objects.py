"""Object stores by URL: S3, Google Cloud Storage, Azure, or a directory, each as obstore knows it.

Credentials and endpoints come from the environment, as the clouds' own tools have them; never from the URL.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from penstock.errors import PenstockError, UsageError, did_you_mean
from penstock.store.disk import directory_at

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CLOUDS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
# obstore's own ten retries keep somebody who mistyped an endpoint waiting for minutes
RETRIES = 5
WAIT = timedelta(seconds=60)


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def object_store(url: str | Path) -> "ObjectStore":
    """The store at a prefix: `s3://BUCKET/PREFIX`, `gs://…`, `az://CONTAINER/…`, `file:///DIRECTORY`, a directory.

    Keys are relative to the prefix. UsageError for what is no such URL or directory, or has credentials in it.
    Nothing is asked of the network yet: put what uses the store into `explained(url)`.
    """
    text = str(url)
    if not is_url(text):
        return _directory(Path(text))
    parts = urlsplit(text)
    if parts.scheme == "file":
        return _directory(Path(unquote(parts.path)))
    _refuse_wrong(text)
    from obstore.store import from_url

    retry: Any = {"max_retries": RETRIES, "retry_timeout": WAIT}
    config: Any = _profile() if parts.scheme == "s3" else {}
    client: Any = {"allow_http": True} if _is_loopback(config) else None
    # a key is meant as it is written, as the clouds' own tools take it
    prefix = quote(text.partition("://")[2].partition("/")[2])
    with explained(text):
        return from_url(
            f"{parts.scheme}://{parts.netloc}/{prefix}",
            config=config or None,
            client_options=client,
            retry_config=retry,
        )


@contextmanager
def explained(url: str | Path) -> Iterator[None]:
    """Turn what obstore raises in the block into a PenstockError that names `url` and says what is wrong, no secret."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError, ValueError) as error:
        raise _explanation(error, str(url)) from None  # obstore's text may hold a signed URL


def _directory(path: Path) -> "ObjectStore":
    from obstore.store import LocalStore

    with explained(path):
        return LocalStore(directory_at(path))


def _refuse_wrong(url: str) -> None:
    parts = urlsplit(url)
    scheme = f"{parts.scheme}://"
    if parts.scheme not in CLOUDS:
        known = [f"{one}://" for one in (*CLOUDS, "file")]
        raise UsageError(f"unknown kind of URL {scheme!r}{did_you_mean(scheme, known)}", expected=" or ".join(known))
    if "@" in parts.netloc or parts.query:
        shown = f"{scheme}{parts.netloc.rpartition('@')[2]}{parts.path}"
        what = "a URL must not hold credentials"
        raise UsageError(what, where=shown, hint=f"set {CLOUDS[parts.scheme]}; then: {shown}")
    if not parts.netloc:
        raise UsageError("the URL names no bucket", where=url, expected=f"{scheme}BUCKET/PREFIX")


def _profile() -> dict[str, str]:
    """What the AWS profile in force has, where the environment has no key; obstore reads the environment only."""
    if "AWS_ACCESS_KEY_ID" in os.environ:
        return {}
    name = os.environ.get("AWS_PROFILE", "default")
    keys = _section(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), name)
    more = _section(os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"), name, f"profile {name}")
    found = {key.removeprefix("aws_"): value for key, value in {**more, **keys}.items()}
    return {key: found[key] for key, given in _PROFILE.items() if key in found and not given & os.environ.keys()}


_ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_PROFILE: dict[str, set[str]] = {  # what to take from a profile, and the variables that go before it
    "access_key_id": set(),
    "secret_access_key": set(),
    "session_token": set(),
    "region": {"AWS_REGION", "AWS_DEFAULT_REGION"},
    "endpoint_url": set(_ENDPOINT),
}


def _section(file: str, *names: str) -> Mapping[str, str]:
    from configparser import ConfigParser
    from configparser import Error as ConfigError

    parser = ConfigParser(interpolation=None, strict=False, default_section="")
    try:
        parser.read(Path(file).expanduser(), encoding="utf-8")
    except ConfigError as error:
        raise UsageError(f"not a file of AWS profiles: {error.message.splitlines()[0]}", where=file) from None
    return next((dict(parser[name]) for name in names if parser.has_section(name)), {})


def _is_loopback(config: Mapping[str, str]) -> bool:
    """Whether the endpoint is this machine, where nobody listens in."""
    endpoint = next((os.environ[name] for name in _ENDPOINT if os.environ.get(name)), config.get("endpoint_url", ""))
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


# --- what went wrong -----------------------------------------------------------------------------

_MISSING = ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")
_LACKING = ("169.254.169.254", "metadata.google", "Account must be specified", "Missing credentials")
_REFUSED = ("PermissionDeniedError", "UnauthenticatedError")


def _explanation(error: Exception, url: str) -> PenstockError:
    text, kind = str(error), type(error).__name__
    cloud = CLOUDS.get(urlsplit(url).scheme, "")
    if any(mark in text for mark in _MISSING):
        return UsageError("there is no such bucket", where=url, hint="create it, or correct its name")
    if kind == "FileNotFoundError":
        return UsageError("there is no such object", where=url)
    if any(mark in text for mark in _LACKING):
        return PenstockError("no credentials are set", where=url, hint=f"set {cloud}")
    if kind in _REFUSED or "403 Forbidden" in text:
        what = f"access is refused: {_answer(text)}"
        return PenstockError(what, where=url, hint=f"check {cloud}, and what they may do here" if cloud else None)
    if kind == "PreconditionError":
        return PenstockError("it was changed meanwhile", where=url, hint="try again")
    if "BadScheme" in text:
        what = "its endpoint is plain HTTP, which anybody on the way can read"
        return PenstockError(what, where=url, hint="use https://, or set AWS_ALLOW_HTTP=true")
    if "kind: Connect" in text or "kind: Timeout" in text:
        what = f"cannot be reached{_reason(text)}"
        return PenstockError(what, where=url, hint="check the network and the endpoint (AWS_ENDPOINT_URL)")
    return PenstockError(f"the object store failed: {_answer(text)}", where=url)


def _answer(text: str) -> str:
    """What the server said, without signatures and request ids."""
    code, message = (re.search(f"<{tag}>([^<]*)</{tag}>", text) for tag in ("Code", "Message"))
    if code:
        return f"{code[1]}: {message[1]}" if message else code[1]
    line = re.sub(r"\?\S*", "", text.splitlines()[0] if text else "no reason given")
    return line if len(line) <= 200 else f"{line[:197]}..."


def _reason(text: str) -> str:
    found = re.search(r'message: "([^"]+)"', text) or re.search(r"(dns error)", text)
    return f": {found[1]}" if found else ""
