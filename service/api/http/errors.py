"""
Refusals as RFC 9457 problem+json: one table from kind to status, and a page that tells what each means.

Below /v2 the words are the Open Inference Protocol's: {"error": detail} as application/json.
"""

import errno
import logging

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as NoSuchRoute

from service.api.http import codings
from service.api.http.application import HEADERS
from service.core import errors
from service.core.errors import ServiceError
from service.lab.prices import TooDear

log = logging.getLogger(__name__)

# kind of error: (status, title, what it means and what helps)
PROBLEMS: dict[type[ServiceError], tuple[int, str, str]] = {
    errors.Unreadable: (400, "Unreadable", "The body is not what it claims to be: damaged, cut short, or not JSON."),
    errors.Unauthorized: (401, "Unauthorized", "This service asks for a key: Authorization: Bearer <key>."),
    errors.NotFound: (404, "No such thing", "No model, version, layer, filter or preset has that name."),
    errors.NotAcceptable: (406, "No such format", "This call has no answer in the format asked for."),
    errors.NotPossible: (409, "Not possible", "The structure of this network does not allow that method."),
    errors.TooLarge: (413, "Too large", "Over one of the limits that GET /v1/limits lists."),
    errors.UnsupportedType: (415, "Not a picture", "The body is none of the kinds of picture this service reads."),
    errors.UnsupportedCoding: (415, "Unknown coding", "The body came in a Content-Encoding that is not read here."),
    errors.InvalidImage: (422, "Invalid picture", "The picture can be read but not used by this call."),
    errors.InvalidKernel: (422, "Invalid filter", "A filter can be read but not used."),
    errors.InvalidOption: (422, "Invalid option", "An option is unknown, given twice, or has a value it cannot have."),
    TooDear: (422, "Too much work", "The request would cost more work than one may; its detail says what to ask for."),
    errors.InvalidInput: (422, "Invalid input", "The request can be read but not answered."),
    errors.Busy: (503, "Busy", "No room for this request now; Retry-After says when to try again."),
}

PROTOCOL = "/v2/"
# For these the protocol has one status. Clients of it take 200 for success and read `error` from anything else.
PROTOCOL_STATUS = {406: 400, 409: 400, 415: 400, 422: 400}


def register(app: Flask) -> None:
    """Answer every refusal, and every failure, as problem+json, or below /v2 as the protocol does."""
    app.register_error_handler(ServiceError, _answer_refusal)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_failure)


def answer(error: ServiceError, path: str = "/", retry_after: int = 1) -> Response:
    """The problem+json of a refusal; path: of the request; retry_after: seconds, where there is no room for it now."""
    status, title, _ = _problem(error)
    members = [{"pointer": pointer, "detail": detail} for pointer, detail in error.problems]
    if not members and error.pointer:
        members = [{"pointer": error.pointer, "detail": error.detail}]
    response = problem(status, title, error.detail, slug(title), members, path=path)
    if status == 503:
        response.headers["Retry-After"] = str(retry_after)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.UnsupportedCoding):
        response.headers["Accept-Encoding"] = codings.ACCEPTED
    return response


def is_protocol(path: str) -> bool:
    """
    Whether a path is one of the Open Inference Protocol's, and a refusal there is said in its words.

    >>> is_protocol("/v2"), is_protocol("/v2/models"), is_protocol("/v2x")
    (True, True, False)
    """
    return f"{path}/".startswith(PROTOCOL)


def slug(title: str) -> str:
    """
    The name of a problem in its `type`.

    >>> slug("Not a picture")
    'not-a-picture'
    """
    return title.lower().replace(" ", "-")


def problem(
    status: int,
    title: str,
    detail: str,
    kind: str | None = None,
    members: list[dict[str, str]] | None = None,
    *,
    path: str = "/",
) -> Response:
    """Build the answer to a request of that path; `kind` leads to its entry on the page of problems."""
    if is_protocol(path):
        return _send({"error": detail or title}, PROTOCOL_STATUS.get(status, status), "application/json")
    body: dict[str, object] = {
        "type": f"/docs/problems#{kind}" if kind else "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if members:
        body["errors"] = members
    return _send(body, status, "application/problem+json")


def _send(body: dict[str, object], status: int, media_type: str) -> Response:
    # A message may quote what came, and that may hold characters that UTF-8 has no form for.
    text = orjson.dumps(_encodable(body))
    return Response(text, status, mimetype=media_type, headers=HEADERS)


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


def _problem(error: ServiceError) -> tuple[int, str, str]:
    return next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)


def _answer_refusal(error: ServiceError) -> Response:
    return answer(error, request.path)


def _answer_http(error: HTTPException) -> Response:
    if isinstance(error, RequestEntityTooLarge):
        limit = request.max_content_length
        return answer(errors.TooLarge(f"a request body may have {limit} bytes, this has more"), request.path)
    detail = error.description or ""
    if isinstance(error, NoSuchRoute):
        detail = f"there is nothing at {request.path[:200]}; GET /docs tells what there is"
    if isinstance(error, MethodNotAllowed):
        detail = f"{request.path} answers {', '.join(sorted(error.valid_methods or ()))}, got {request.method}"
    response = problem(error.code or 500, error.name, detail, path=request.path)
    response.headers.extend({name: value for name, value in error.get_headers() if name in {"Allow", "Location"}})
    if "Allow" in response.headers:
        response.headers["Allow"] = ", ".join(sorted(response.headers["Allow"].split(", ")))
    return response


def _answer_failure(error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        return answer(errors.Busy("the process has as many files and connections open as it may"), request.path)
    if isinstance(error, MemoryError):
        return answer(errors.Busy("there is no memory left for this call"), request.path)
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    detail = "the service failed on this request; the fault is ours and has been logged"
    return problem(500, "Internal error", detail, path=request.path)
