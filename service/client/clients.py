"""The two clients: one that blocks, one that is awaited; httpx carries what the calls hand out."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, get_args

import httpx

from service import __version__
from service.client.calls import Calls
from service.client.errors import Unexpected, Unreachable
from service.client.wire import Received, Request, Steps

Given = ParamSpec("Given")
Result = TypeVar("Result")
Call = Callable[Concatenate[Calls, Given], Steps[Result]]
# Sent once and perhaps never read, or read and never answered: whichever it was, the call may be sent again.
LARGEST_ANSWER = 2**29  # bytes, unpacked: twice the most that the service answers unless told otherwise
LOST = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


def _blocking(call: Call[Given, Result]) -> "Callable[Concatenate[Client, Given], Result]":
    @wraps(call)
    def method(self: "Client", /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        return self._run(call(self._calls, *args, **kwargs))

    _sign(method, call)
    return method


def _awaited(call: Call[Given, Result]) -> "Callable[Concatenate[AsyncClient, Given], Awaitable[Result]]":
    @wraps(call)
    async def method(self: "AsyncClient", /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        return await self._run(call(self._calls, *args, **kwargs))

    _sign(method, call)
    return method


def _sign(method: Any, call: Callable[..., Any]) -> None:
    """Show what a method returns, instead of the requests that lead there."""
    signature = inspect.signature(call)
    method.__signature__ = signature.replace(return_annotation=get_args(signature.return_annotation)[-1])


class _Base:
    """What both clients are given."""

    _open: Callable[..., Any]

    def __init__(
        self,
        address: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        largest: int = LARGEST_ANSWER,
        transport: Any = None,
    ) -> None:
        """
        Open nothing yet: the first call connects.

        address: of the service, below which /v1 is   key: sent as Authorization: Bearer
        timeout: seconds for a connection, and between two pieces of an answer
        retries: how often a request is sent again that was answered 503, after as long as Retry-After says, or whose
            connection was lost
        largest: bytes of an answer, unpacked, that are taken
        transport: of httpx, such as a proxy, or certificates of one's own
        """
        self.address = (address if "://" in address else f"http://{address}").rstrip("/")
        self._calls = Calls(retries)
        self._largest = largest
        # Of the codings that httpx knows the one that the service has; of others a byte may become a million.
        headers = {"User-Agent": f"filterscope-client/{__version__}", "Accept-Encoding": "gzip"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._http = self._open(base_url=self.address, timeout=timeout, transport=transport, headers=headers)

    def _check(self, answer: httpx.Response, size: int) -> None:
        """Refuse an answer that is larger than is taken, or packed in another way than was asked for."""
        if size > self._largest:
            raise Unexpected(f"an answer may have {self._largest} bytes (`largest`), {self.address} sends more")
        coding = answer.headers.get("content-encoding", "gzip").strip().lower()
        if coding not in {"gzip", "identity"}:
            raise Unexpected(f"{self.address} answers in {coding[:80]!r}, gzip was asked for")

    def _failed(self, error: httpx.HTTPError) -> Unreachable:
        said = str(error) or type(error).__name__
        if isinstance(error, httpx.TimeoutException):
            return Unreachable(f"{self.address} did not answer in time: {said}")
        return Unreachable(f"{self.address} cannot be reached: {said}")


def _sent(request: Request) -> dict[str, Any]:
    """A request as httpx takes it."""
    headers = {"Content-Type": request.media_type} if request.media_type else {}
    return {
        "method": request.method, "url": request.path, "params": dict(request.query),
        "content": request.content or None, "headers": headers,
    }  # fmt: skip


def _lost(error: httpx.HTTPError) -> Received:
    return Received(0, {}, f"the connection was lost: {error or type(error).__name__}".encode())


class Client(_Base):
    """
    Calls the service and waits for its answers; connections are kept, and threads may share it.

    >>> with Client("http://127.0.0.1:8000", timeout=10) as client:
    ...     verdict = client.classify("tests/three.png")[0]
    >>> verdict.digit, round(verdict.confidence, 3)
    (3, 1.0)
    """

    _http: httpx.Client
    _open = httpx.Client

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, steps: Steps[Result]) -> Result:
        try:
            request = next(steps)
            while True:
                time.sleep(request.pause)
                try:
                    answer = self._send(request)
                except Unreachable as error:
                    request = steps.throw(error)
                else:
                    request = steps.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _send(self, request: Request) -> Received:
        try:
            with self._http.stream(**_sent(request)) as answer:
                self._check(answer, 0)
                content = bytearray()
                for piece in answer.iter_bytes():
                    content += piece
                    self._check(answer, len(content))
                return Received(answer.status_code, answer.headers, bytes(content))
        except LOST as error:
            return _lost(error)
        except httpx.HTTPError as error:
            raise self._failed(error) from error

    classify = _blocking(Calls.classify)
    read = _blocking(Calls.read)
    feature_maps = _blocking(Calls.feature_maps)
    apply_filters = _blocking(Calls.apply_filters)
    patches = _blocking(Calls.patches)
    explain = _blocking(Calls.explain)
    what_if = _blocking(Calls.what_if)
    models = _blocking(Calls.models)
    versions = _blocking(Calls.versions)
    model = _blocking(Calls.model)
    learnt_filters = _blocking(Calls.learnt_filters)
    history = _blocking(Calls.history)
    report = _blocking(Calls.report)
    filters = _blocking(Calls.filters)
    filter = _blocking(Calls.filter)
    limits = _blocking(Calls.limits)
    ready = _blocking(Calls.ready)


class AsyncClient(_Base):
    """
    The same calls, to be awaited; several may be under way at once.

    >>> async def read(*paths):
    ...     async with AsyncClient("http://127.0.0.1:8000") as client:
    ...         return await asyncio.gather(*map(client.classify, paths))
    >>> [verdicts[0].digit for verdicts in asyncio.run(read("tests/three.png", "tests/three.png"))]
    [3, 3]
    """

    _http: httpx.AsyncClient
    _open = httpx.AsyncClient

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, steps: Steps[Result]) -> Result:
        try:
            request = next(steps)
            while True:
                await asyncio.sleep(request.pause)
                try:
                    answer = await self._send(request)
                except Unreachable as error:
                    request = steps.throw(error)
                else:
                    request = steps.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _send(self, request: Request) -> Received:
        try:
            async with self._http.stream(**_sent(request)) as answer:
                self._check(answer, 0)
                content = bytearray()
                async for piece in answer.aiter_bytes():
                    content += piece
                    self._check(answer, len(content))
                return Received(answer.status_code, answer.headers, bytes(content))
        except LOST as error:
            return _lost(error)
        except httpx.HTTPError as error:
            raise self._failed(error) from error

    classify = _awaited(Calls.classify)
    read = _awaited(Calls.read)
    feature_maps = _awaited(Calls.feature_maps)
    apply_filters = _awaited(Calls.apply_filters)
    patches = _awaited(Calls.patches)
    explain = _awaited(Calls.explain)
    what_if = _awaited(Calls.what_if)
    models = _awaited(Calls.models)
    versions = _awaited(Calls.versions)
    model = _awaited(Calls.model)
    learnt_filters = _awaited(Calls.learnt_filters)
    history = _awaited(Calls.history)
    report = _awaited(Calls.report)
    filters = _awaited(Calls.filters)
    filter = _awaited(Calls.filter)
    limits = _awaited(Calls.limits)
    ready = _awaited(Calls.ready)
