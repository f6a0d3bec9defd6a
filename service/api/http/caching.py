"""Answers that stay the same until the models do: a client that kept one is told so with 304."""

from flask import Response, request

from service.api.http.application import Ready, Reply


def revalidated(reply: Reply) -> Response:
    """
    Give a GET's answer an ETag, the hash of its bytes, and answer 304 to a client that already has them.

    "no-cache" means: keep it, and ask before using it again.
    """
    response = reply.response() if isinstance(reply, Ready) else reply
    if request.method in {"GET", "HEAD"} and response.status_code == 200:
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "Accept"
        response.add_etag()
        response.make_conditional(request)
    return response
