"""Clients of the service in this process: what httpx would send goes to the application, and nothing over a network."""

import pytest

httpx = pytest.importorskip("httpx", reason="httpx, the extra [client], is not installed")

from service.client import AsyncClient, Client  # noqa: E402  # without httpx there is nothing to import


class Carrier(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Carries requests to an application, for both kinds of client, and keeps them."""

    def __init__(self, app):
        self._wsgi = httpx.WSGITransport(app)
        self.requests = []

    def handle_request(self, request):
        self.requests.append(request)
        answer = self._wsgi.handle_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.read())

    async def handle_async_request(self, request):
        await request.aread()
        return self.handle_request(request)


def client_of(app, **options):
    return Client(transport=Carrier(app), **options)


def async_client_of(app, **options):
    return AsyncClient(transport=Carrier(app), **options)
