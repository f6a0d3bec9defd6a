"""Flask without the parts that an API without sessions, which answers under any host name, has no use for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from flask import Flask, Request, Response
from flask.ctx import RequestContext
from flask.globals import _cv_request  # what RequestContext.push itself sets
from flask.sessions import NullSession, SessionInterface
from werkzeug.datastructures import EnvironHeaders
from werkzeug.routing import MapAdapter, Rule

from service.lab.prices import Account, current, opened
from service.settings import Limits

NO_SESSION = NullSession()


class Json(bytes):
    """The text of an answer in JSON, of status 200 and not to be kept: all that the door needs of it."""

    __slots__ = ()

    def response(self) -> Response:
        """Make the same answer as Flask knows it."""
        return Response(bytes(self), headers=JSON_HEADERS)


# Of every answer, unless its route says otherwise: not to be kept, and nothing but what its type says.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
JSON_HEADERS = HEADERS | {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class InParts:
    """An answer of status 200 whose body is sent as it lies, in parts; headers: all of them, names and values clean."""

    headers: Mapping[str, str]
    body: Sequence[bytes | memoryview]

    def response(self) -> Response:
        """Make the same answer as Flask knows it."""
        parts: Sequence[Any] = self.body  # Flask's type names bytes alone; a view of bytes is sent as well
        return Response(parts, headers=self.headers)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Be a WSGI application, which is what Flask lets a route answer with."""
        return self.response()(environ, start_response)


Ready = Json | InParts  # what the door sends without making a Flask response of it
Reply = Response | Ready


class Access(Enum):
    """Who may call a route, and when; a route says so where it is declared."""

    KEYED = "with a key, where keys are asked for"
    OPEN = "without a key"
    # Whoever runs the service must be able to see how it is.
    PROBE = "without a key, at once, and never refused for want of room"
    METRICS = "as a probe, on a thread of its own"


class Route(Rule):
    """A rule that knows who may call it; with a key unless it says otherwise."""

    def __init__(self, string: str, *, access: Access = Access.KEYED, **options: Any) -> None:
        super().__init__(string, **options)
        self.access = access


class NoSessions(SessionInterface):
    """Gives every request the same session, which refuses to hold anything."""

    def open_session(self, _app: Flask, _request: Request) -> NullSession:
        """Open nothing."""
        return NO_SESSION

    def is_null_session(self, _session: object) -> bool:
        """Say that there is nothing to save, whatever the session is: `respond` opens none."""
        return True


class DoorRequest(Request):
    """A request as the door hands it on, which has looked at it already: nothing of it is parsed again."""

    def __init__(self, environ: dict[str, Any]) -> None:
        # As werkzeug.wrappers.Request does, which takes three times as long.
        self.environ = environ
        self.method = environ["REQUEST_METHOD"]
        self.scheme = "http"
        self.server = None
        self.root_path = ""
        path = environ["PATH_INFO"]
        self.path = "/" + (path if path.isascii() else path.encode("latin-1").decode(errors="replace")).lstrip("/")
        self.query_string = environ["QUERY_STRING"].encode("latin-1")
        self.headers = EnvironHeaders(environ)
        self.remote_addr = environ.get("REMOTE_ADDR")
        self.shallow = False


class Service(Flask):
    """
    A Flask application that spends less on each request; routes, errors and test client are Flask's own.

    Matching a request's path needs no host name, so none is parsed: `url_for` is not used here. Of the hooks around
    requests there is one kind, a blueprint's after_request; any other is refused by `enter_thread`.
    """

    url_rule_class: type[Rule] = Route
    session_interface = NoSessions()
    limits: Limits = Limits()
    _plain_rules: dict[tuple[str, str], Rule] | None = None
    _hooked: frozenset[str] | None = None

    @property
    def plain_rules(self) -> dict[tuple[str, str], Rule]:
        """Every rule whose path has no parameters, by method and path: found by one look."""
        if self._plain_rules is None:
            self._plain_rules = {
                (method, rule.rule): rule
                for rule in self.url_map.iter_rules()
                if not rule.arguments
                for method in (rule.methods or set()) - {"OPTIONS"}
            }
        return self._plain_rules

    @cached_property
    def _open(self) -> tuple[dict[bytes, Access], dict[bytes, Access]]:
        """Who may call what: plain paths, and those folders, which end with a slash, that are open without a key."""
        paths: dict[bytes, Access] = {}
        folders: dict[bytes, Access] = {}
        for rule in self.url_map.iter_rules():
            access = rule.access if isinstance(rule, Route) else Access.KEYED
            if not rule.arguments:
                paths[rule.rule.encode()] = access
            elif access is not Access.KEYED:
                folder, _, below = rule.rule.partition("<path:")
                assert below.endswith(">"), "what is open is a path, or all of a folder"
                folders[folder.encode()] = access
        return paths, folders

    def access_of(self, path: bytes) -> Access:
        """Who may call a path, in its canonical form; what does not exist is no more open than the rest."""
        paths, folders = self._open
        if path in paths:
            return paths[path]
        for folder, access in folders.items():
            if path.startswith(folder):
                return access
        return Access.KEYED

    @property
    def hooked(self) -> frozenset[str]:
        """The endpoints whose blueprint has an after_request."""
        if self._hooked is None:
            names = {name for name, functions in self.after_request_funcs.items() if functions}
            endpoints = {rule.endpoint for rule in self.url_map.iter_rules()}
            self._hooked = frozenset(endpoint for endpoint in endpoints if endpoint.rpartition(".")[0] in names)
        return self._hooked

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the rules to a request by its path and method alone; a plain path is matched here and now."""
        if request is None:
            return None
        rule = self.plain_rules.get((request.method, request.path))
        if rule is not None:
            request.url_rule, request.view_args = rule, {}
            return None
        return MapAdapter(self.url_map, "", "/", "", "http", request.path, request.method)

    def make_response(self, rv: Any) -> Response:
        """Make a response of what a route returned."""
        if isinstance(rv, Ready):
            return rv.response()
        return super().make_response(rv)

    def enter_thread(self) -> None:
        """Push the application's context once for a thread that will answer requests, instead of once for each."""
        unused = (self.before_request_funcs, self.teardown_request_funcs)
        assert not any(functions for kind in unused for functions in kind.values())
        assert not self.after_request_funcs.get(None)
        self.app_context().push()

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer one request as any WSGI application does, with an account of its own."""
        with opened(Account(self.limits)):
            return super().wsgi_app(environ, start_response)

    def respond(self, environ: dict[str, Any], account: Account | None = None) -> tuple[Reply, str]:
        """
        Answer one request: what `wsgi_app` does, without the hooks that this application has none of.

        account: where its price is charged; one of its own unless given
        returns: the answer, and the rule that matched the path ("" where none did)
        raises: HandedOver or Ended, where the account says so
        """
        charged = current.set(account or Account(self.limits))
        request = DoorRequest(environ)
        context = RequestContext(self, environ, request)
        token = _cv_request.set(context)
        try:
            try:
                if context.url_adapter is not None:
                    context.match_request()
                answer = self._dispatch(request)
            except Exception as unhandled:  # noqa: BLE001  # Flask's own order: log it, answer 500
                answer = self.handle_exception(unhandled)
            rule = request.url_rule
            return answer, "" if rule is None else rule.rule
        finally:
            if request.routing_exception is not None:
                # Its traceback leads back to the request: the body would stay until the collector comes.
                request.routing_exception.__traceback__ = None
                request.routing_exception = None
            _cv_request.reset(token)
            current.reset(charged)

    def _dispatch(self, request: Request) -> Reply:
        """Call the route of a request, or the handler of what it raised."""
        rule = request.url_rule
        try:
            if rule is None or request.method == "OPTIONS":
                answer: Any = self.dispatch_request()
            else:
                answer = self.view_functions[rule.endpoint](**request.view_args or {})
        except Exception as error:  # noqa: BLE001  # the handlers registered for it decide
            answer = self.handle_user_exception(error)
        if rule is not None and rule.endpoint in self.hooked:
            return self.process_response(self.make_response(answer))
        return answer if isinstance(answer, Reply) else self.make_response(answer)
