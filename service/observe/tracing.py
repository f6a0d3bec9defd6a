"""
Requests as spans, for OpenTelemetry: the extra `otel` of pyproject.toml, that is off until it is configured.

It is set up by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER).
Where they name no endpoint nothing of it is imported. A worker sets it up after its fork: the thread that sends spans
does not survive one. Its queue is bounded; what finds no room in it is dropped, and no request waits for it.
"""

import os
import sys
from collections.abc import Mapping
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from service import __version__
from service.observe.record import Record

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

# Asked every few seconds by machines; no one looks for them.
UNTRACED = frozenset({"/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})


def is_configured(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether OpenTelemetry's variables name somewhere to send spans to."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return bool(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))


class Tracing:
    """Sends spans from this process."""

    def __init__(self, processor: "SpanProcessor | None" = None) -> None:
        """
        Set up, in a worker after its fork.

        processor: what takes the spans; one that sends them by OTLP over HTTP unless given
        raises: ImportError with what to install, where the extra is not
        """
        try:
            from opentelemetry import trace  # noqa: PLC0415  # an extra
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(
                f"tracing is configured but not installed: {sys.executable} -m pip install opentelemetry-sdk "
                f"opentelemetry-exporter-otlp-proto-http ({error})"
            ) from None
        # Resource.create lets OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over what is given here.
        name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "filterscope"}
        self._provider = TracerProvider(resource=Resource.create({**name, "service.version": __version__}))
        self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("filterscope", __version__)
        self._trace = trace

    def export(self, record: Record) -> None:
        """Hand on one answered request as a span, with its stages as children."""
        if record.route in UNTRACED:
            return
        trace = self._trace
        # Spans have the time of day, records that of time.perf_counter().
        shift = time() - perf_counter()
        attributes: dict[str, Any] = {
            "http.request.method": record.method,
            "url.path": record.path[:500],
            "http.response.status_code": record.status,
            "filterscope.request_id": record.id,
        }
        if record.route:
            attributes["http.route"] = record.route
        span = self._tracer.start_span(
            f"{record.method} {record.route}".rstrip(),
            self._caller(record.trace),
            kind=trace.SpanKind.SERVER,
            attributes=attributes,
            start_time=_nanoseconds(record.started + shift),
        )
        if span.is_recording():
            within = trace.set_span_in_context(span)
            for name, started, took in record.stages:
                stage = self._tracer.start_span(name, within, start_time=_nanoseconds(started + shift))
                stage.end(_nanoseconds(started + took + shift))
            if record.status >= 500:
                span.set_status(trace.StatusCode.ERROR)
        span.end(_nanoseconds(record.started + record.seconds + shift))

    def _caller(self, of: tuple[str, str, int] | None) -> Any:
        if of is None:
            return None
        trace_id, span_id, flags = of
        caller = self._trace.SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=self._trace.TraceFlags(flags)
        )
        return self._trace.set_span_in_context(self._trace.NonRecordingSpan(caller))

    def close(self) -> None:
        """Send what is left and end the sender; at the end of the worker."""
        self._provider.shutdown()


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
