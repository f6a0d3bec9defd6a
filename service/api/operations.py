"""The routes that keep the service running and documented: probes, limits, the contract and its page."""

from collections.abc import Callable
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import orjson
import yaml
from flask import Blueprint, Response, redirect, request, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from service import __version__
from service.api.http import writing
from service.api.http.application import HEADERS, Access, Reply
from service.api.http.caching import revalidated
from service.api.http.errors import PROBLEMS, slug
from service.api.http.reading import read_options
from service.lab.options import NoOptions
from service.network.sessions import Library
from service.observe.metrics import Metrics
from service.settings import Settings

# The documentation page runs only its own scripts; its styles are set from script, hence 'unsafe-inline' for those.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOCS_HEADERS = {"Content-Security-Policy": DOCS_POLICY, "X-Content-Type-Options": "nosniff"}


def blueprint(library: Library, settings: Settings, metrics: Callable[[], Metrics]) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("operations", __name__)

    @routes.get("/healthz", access=Access.PROBE)
    def healthz() -> Reply:
        """Say that the process lives."""
        return writing.json({"status": "ok", "service": "filterscope", "release": __version__})

    @routes.get("/readyz", access=Access.PROBE)
    def readyz() -> Reply:
        """Say that the models are loaded and warmed; a worker listens only after that."""
        ready = [{"name": network.name, "version": network.version} for network in library.networks]
        return writing.json({"status": "ready", "models": ready})

    @routes.get("/metrics", access=Access.METRICS)
    def numbers() -> Reply:
        """Show what has been counted, of all processes, in Prometheus' text form."""
        counted = metrics()
        return Response(counted.text(), content_type=counted.content_type, headers=HEADERS)

    @routes.get("/v1/limits")
    def limits() -> Reply:
        """List every limit on a request."""
        writing.choose_format(request, read_options(request, NoOptions).format, ("json",))
        return revalidated(writing.json(settings.limits()))

    @routes.get("/openapi.json", access=Access.OPEN)
    def openapi() -> Reply:
        """Give the contract as OpenAPI 3.1."""
        return revalidated(Response(contract_json(), mimetype="application/json", headers=HEADERS))

    _add_pages(routes)
    return routes


def _add_pages(routes: Blueprint) -> None:
    """The pages that document the service."""

    @routes.get("/docs", access=Access.OPEN)
    def docs() -> Reply:
        """Show the contract as a page to read and try out."""
        return Response(DOCS_PAGE, mimetype="text/html", headers=DOCS_HEADERS)

    @routes.get("/docs/problems", access=Access.OPEN)
    def problems() -> Reply:
        """Tell what each kind of problem means."""
        return Response(_problems_page(), mimetype="text/html", headers=DOCS_HEADERS)

    @routes.get("/docs/<path:asset>", access=Access.OPEN)
    def docs_asset(asset: str) -> AnyResponse:
        """Serve the page's own files, none from elsewhere."""
        if asset in DOCS_FILES:
            text, mimetype = DOCS_FILES[asset]
            return Response(text, mimetype=mimetype, headers=DOCS_HEADERS)
        if asset == "":
            return redirect("/docs")
        return send_from_directory(str(files("flask_swagger_ui") / "dist"), asset, max_age=86400)


@cache
def contract() -> dict[str, Any]:
    """openapi.yaml, parsed."""
    text = (files("service.api") / "openapi.yaml").read_text(encoding="utf-8")
    # Written in C where the package has it: a tenth of the time.
    document: dict[str, Any] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    document["info"]["version"] = __version__
    return document


@cache
def contract_json() -> bytes:
    """The contract in JSON."""
    return orjson.dumps(contract())


# The calls come first, and what is said of all of them after: a reader who wants to try a call need not pass it.
DOCS_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Filterscope: the API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
<header>
<h1>Filterscope</h1>
<p>Open a call, choose a file or take the example, and press Execute.
<button id="to-introduction" type="button">How pictures, options and answers are written</button></p>
</header>
<main id="contract"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""

DOCS_STYLE = """body { margin: 0; }
header { font: 16px/1.5 sans-serif; color: #3b4151; max-width: 1420px; margin: 0 auto; padding: 16px 20px 0; }
header h1 { font-size: 28px; margin: 0; }
header p { margin: 4px 0 0; }
header button { font: inherit; color: #2b5aa8; background: none; border: 0; padding: 0; text-decoration: underline; }
header button { cursor: pointer; }
.swagger-ui > div { display: flex; flex-direction: column; }
.swagger-ui .information-container { order: 1; }
.swagger-ui .scheme-container { margin: 0; padding: 8px 0; box-shadow: none; }
"""

DOCS_SCRIPT = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#contract",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  syntaxHighlight: false, // colours hold the page up for long on answers of many numbers
  tryItOutEnabled: true,
  validatorUrl: null,
});
document.getElementById("to-introduction").addEventListener("click", () => {
  document.querySelector(".information-container")?.scrollIntoView();
});
"""

DOCS_FILES = {"start.js": (DOCS_SCRIPT, "text/javascript"), "page.css": (DOCS_STYLE, "text/css")}


def _problems_page() -> str:
    entries = "\n".join(
        f'<dt id="{escape(slug(title))}">{status} {escape(title)}</dt><dd>{escape(meaning)}</dd>'
        for status, title, meaning in PROBLEMS.values()
    )
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Filterscope: problems</title>\n'
        "<h1>Problems</h1>\n<p>What the <code>type</code> of an answer in problem+json (RFC 9457) means.</p>\n"
        f"<dl>\n{entries}\n</dl></html>\n"
    )
