"""Requests as spans, seen by OpenTelemetry's own in-memory exporter."""

import subprocess
import sys
from time import perf_counter, time_ns

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from service.observe import tracing
from service.observe.record import Record

TRACE = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1)


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    own = tracing.Tracing(SimpleSpanProcessor(exporter))

    def export(record, seconds):
        exporter.clear()
        record.seconds = seconds
        own.export(record)
        return {span.name: span for span in exporter.get_finished_spans()}

    yield export
    own.close()


def answered(trace=TRACE, status=200, route="/v1/classify"):
    record = Record("order-66", trace, "POST", "/v1/classify", perf_counter() - 0.01)
    record.route, record.status = route, status
    record.stages += [("decode", record.started + 0.001, 0.002), ("infer", record.started + 0.004, 0.0005)]
    return record


def test_a_request_is_a_span_with_its_stages_as_children(spans):
    before = time_ns()
    found = spans(answered(), 0.01)
    assert set(found) == {"POST /v1/classify", "decode", "infer"}
    whole = found["POST /v1/classify"]
    assert (whole.kind, whole.status.status_code) == (SpanKind.SERVER, StatusCode.UNSET)
    assert dict(whole.attributes) == {
        "http.request.method": "POST", "url.path": "/v1/classify", "http.route": "/v1/classify",
        "http.response.status_code": 200, "filterscope.request_id": "order-66",
    }  # fmt: skip
    assert whole.end_time - whole.start_time == pytest.approx(1e7, abs=2000)
    assert abs(whole.end_time - before) < 1e9
    for name, start, took in (("decode", 1e6, 2e6), ("infer", 4e6, 5e5)):
        stage = found[name]
        assert stage.parent.span_id == whole.context.span_id
        assert stage.start_time - whole.start_time == pytest.approx(start, abs=2000)
        assert stage.end_time - stage.start_time == pytest.approx(took, abs=2000)


def test_it_continues_the_callers_trace(spans):
    whole = spans(answered(), 0.01)["POST /v1/classify"]
    assert f"{whole.context.trace_id:032x}" == TRACE[0]
    assert f"{whole.parent.span_id:016x}" == TRACE[1]
    assert spans(answered(None), 0.01)["POST /v1/classify"].parent is None


def test_a_caller_who_does_not_sample_is_obeyed(spans):
    assert spans(answered((*TRACE[:2], 0)), 0.01) == {}


def test_a_failure_is_an_error_and_a_refusal_is_not(spans):
    assert spans(answered(status=500), 0.01)["POST /v1/classify"].status.status_code == StatusCode.ERROR
    assert spans(answered(status=422), 0.01)["POST /v1/classify"].status.status_code == StatusCode.UNSET


def test_what_matched_no_route_has_the_method_as_its_name(spans):
    assert "http.route" not in spans(answered(route="", status=404), 0.01)["POST"].attributes


@pytest.mark.parametrize("route", sorted(tracing.UNTRACED))
def test_probes_are_left_out(spans, route):
    assert spans(answered(route=route), 0.01) == {}


@pytest.mark.parametrize(
    ("environ", "configured"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_it_is_on_where_an_endpoint_is_named(environ, configured):
    assert tracing.is_configured(environ) is configured


def test_off_nothing_of_it_is_imported():
    code = (
        "import sys, service.observe.tracing, service.app; print([name for name in sys.modules if 'telemetry' in name])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "[]\n"


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match=r"-m pip install opentelemetry-sdk"):
        tracing.Tracing()
