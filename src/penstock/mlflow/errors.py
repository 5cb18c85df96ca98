"""Refusals as MLflow's clients read them: a code, a sentence, and the HTTP status that belongs to the code."""

import logging
from collections.abc import Mapping

from penstock.errors import Conflict, GateRefused, PenstockError, UsageError

STATUS: Mapping[str, int] = {
    "INVALID_PARAMETER_VALUE": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "PERMISSION_DENIED": 403,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "INTERNAL_ERROR": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
}
_log = logging.getLogger("penstock.mlflow")


class ProtocolError(PenstockError):
    """A refusal whose code the protocol has a word for."""

    def __init__(self, code: str, what: str, *, expected: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, expected=expected, hint=hint)
        self.code = code


def missing(kind: str, name: str) -> ProtocolError:
    """There is nothing of that name."""
    return ProtocolError("RESOURCE_DOES_NOT_EXIST", f"there is no {kind} {name!r}")


def invalid(what: str, *, expected: str | None = None) -> ProtocolError:
    """The request says something that cannot be."""
    return ProtocolError("INVALID_PARAMETER_VALUE", what, expected=expected)


def taken(kind: str, name: str) -> ProtocolError:
    """There is one of that name."""
    return ProtocolError("RESOURCE_ALREADY_EXISTS", f"there is {kind} {name!r} already")


def refused(what: str, *, hint: str | None = None) -> ProtocolError:
    """It may not be done."""
    return ProtocolError("PERMISSION_DENIED", what, hint=hint)


def refusal(error: Exception) -> tuple[int, Mapping[str, str]]:
    """Status and body of the reply to a request that failed."""
    code = _code(error)
    if code == "INTERNAL_ERROR":
        _log.error("a request failed", exc_info=error)
    told = str(error) if isinstance(error, PenstockError) else "the server failed on this request; its log says why"
    return STATUS[code], {"error_code": code, "message": told}


def _code(error: Exception) -> str:
    match error:
        case ProtocolError():
            return error.code
        case GateRefused():
            return "PERMISSION_DENIED"
        case UsageError():
            return "INVALID_PARAMETER_VALUE"
        case Conflict():
            return "TEMPORARILY_UNAVAILABLE"  # others write: clients ask again by themselves
    return "INTERNAL_ERROR"
