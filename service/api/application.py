"""Flask without the parts that an API without sessions, which answers under any host name, has no use for."""

from typing import Any

from flask import Flask, Request, Response
from flask.ctx import RequestContext
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule

NO_SESSION = NullSession()


class NoSessions(SessionInterface):
    """Gives every request the same session, which refuses to hold anything."""

    def open_session(self, _app: Flask, _request: Request) -> NullSession:
        """Open nothing."""
        return NO_SESSION


class Context(RequestContext):
    """A request's context that finds a path without parameters by one look."""

    def match_request(self) -> None:
        """Match the request's path; what is not found at once is left to the rules."""
        request = self.request
        rule = self.app.plain_rules.get((request.method, request.path))  # type: ignore[attr-defined]
        if rule is None:
            super().match_request()
        else:
            request.url_rule, request.view_args = rule, {}


class Service(Flask):
    """
    A Flask application that spends less on each request; routes, errors and test client are Flask's own.

    Matching a request's path needs no host name, so none is parsed: `url_for` is not used here. Of the hooks around
    requests there is one kind, a blueprint's after_request; any other is refused by `enter_thread`.
    """

    session_interface = NoSessions()
    _plain_rules: dict[tuple[str, str], Rule] | None = None
    _hooked: frozenset[str] | None = None

    @property
    def plain_rules(self) -> dict[tuple[str, str], Rule]:
        """Every rule whose path has no parameters, by method and path."""
        if self._plain_rules is None:
            self._plain_rules = {
                (method, rule.rule): rule
                for rule in self.url_map.iter_rules()
                if not rule.arguments
                for method in rule.methods or ()
            }
        return self._plain_rules

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the rules to a request by its path and method alone."""
        if request is None:
            return None
        return MapAdapter(self.url_map, "", "/", "", "http", request.path, request.method)

    def request_context(self, environ: dict[str, Any]) -> RequestContext:
        """Make the context of one request."""
        return Context(self, environ)

    def enter_thread(self) -> None:
        """Push the application's context once for a thread that will answer requests, instead of once for each."""
        unused = (self.before_request_funcs, self.teardown_request_funcs)
        assert not any(functions for kind in unused for functions in kind.values())
        assert not self.after_request_funcs.get(None)
        self.app_context().push()

    @property
    def hooked(self) -> frozenset[str]:
        """The endpoints whose blueprint has an after_request."""
        if self._hooked is None:
            names = {name for name, functions in self.after_request_funcs.items() if functions}
            endpoints = {rule.endpoint for rule in self.url_map.iter_rules()}
            self._hooked = frozenset(endpoint for endpoint in endpoints if endpoint.rpartition(".")[0] in names)
        return self._hooked

    def respond(self, environ: dict[str, Any]) -> tuple[Response, str]:
        """
        Answer one request: what `wsgi_app` does, without the hooks that this application has none of.

        returns: the response, and the rule that matched the path ("" where none did)
        """
        context = self.request_context(environ)
        error: BaseException | None = None
        try:
            try:
                context.push()
                response = self.dispatch()
                rule = context.request.url_rule
                if rule is not None and rule.endpoint in self.hooked:
                    response = self.process_response(response)
            except Exception as unhandled:  # noqa: BLE001  # Flask's own order: log it, answer 500
                error = unhandled
                response = self.handle_exception(unhandled)
                rule = context.request.url_rule
            return response, "" if rule is None else rule.rule
        finally:
            context.pop(error)

    def dispatch(self) -> Response:
        """Call the route of the current request, or the handler of what it raised."""
        try:
            answer = self.dispatch_request()
        except Exception as error:  # noqa: BLE001  # the handlers registered for it decide
            answer = self.handle_user_exception(error)
        return answer if isinstance(answer, Response) else self.make_response(answer)
