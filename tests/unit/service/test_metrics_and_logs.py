"""What is counted and what is written: bounded, one line each, and no secrets."""

from __future__ import annotations

import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tocsin.service.logs import open_log, without_secrets
from tocsin.service.metrics import LABELS, Metrics


def families(metrics):
    return {family.name: family for family in text_string_to_metric_families(metrics.exposition().decode())}


def test_requests_are_counted_by_route_and_status():
    metrics = Metrics()
    for seconds in (0.00005, 0.002, 30.0):
        metrics.request("/x", 200, "key", seconds)
    metrics.request("/x", 403, "key", 0.002)
    shown = families(metrics)
    samples = shown["tocsin_requests"].samples
    assert {tuple(sorted(sample.labels.items())): sample.value for sample in samples} == {
        (("route", "/x"), ("status", "200")): 3.0,
        (("route", "/x"), ("status", "403")): 1.0,
    }
    timed = {(s.name, s.labels.get("le")): s.value for s in shown["tocsin_request_seconds"].samples}
    assert timed["tocsin_request_seconds_bucket", "0.0001"] == 1
    assert timed["tocsin_request_seconds_bucket", "0.0025"] == 3
    assert timed["tocsin_request_seconds_bucket", "5.0"] == 3
    assert timed["tocsin_request_seconds_bucket", "+Inf"] == 4
    assert timed["tocsin_request_seconds_sum", None] == pytest.approx(30.00405)


@pytest.mark.parametrize("labels", [(), ("route",), ("caller",), ("status", "answer"), LABELS])
def test_only_the_labels_asked_for_are_shown(labels):
    metrics = Metrics(labels)
    metrics.request("/x", 200, "key", 0.1)
    metrics.decided("deny", "key")
    used = {name for family in families(metrics).values() for sample in family.samples for name in sample.labels}
    assert used & set(LABELS) == set(labels)


def test_callers_without_end_do_not_become_series_without_end():
    metrics = Metrics(LABELS)
    for number in range(1_000):
        metrics.request("/x", 200, f"key-{number}", 0.1)
    samples = families(metrics)["tocsin_requests"].samples
    assert len(samples) == 201
    assert {s.value for s in samples if s.labels["caller"] == "other"} == {800.0}


def test_the_process_itself_is_shown():
    assert "process_resident_memory_bytes" in families(Metrics())


def written(**fields):
    stream = io.StringIO()
    open_log("info", stream).info("event-name", **fields)
    return stream.getvalue()


@given(st.text(max_size=200))
def test_an_entry_is_one_line_of_json_whatever_is_said(text):
    line = written(said=text.encode("utf-8", "replace").decode())
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert msgspec.json.decode(line)["event"] == "event-name"


@pytest.mark.parametrize(
    "secret",
    [
        "tsn_HNQ73GQ4_vywFasvyiljebCRLwhXpMKpPvFEtQNQ5ZPDPkvNSGv02A5NAq",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
    ],
)
@pytest.mark.parametrize("around", ["{}", "Bearer {}", "refused `{}` for ada", "authorization: DPoP {}, x"])
def test_no_secret_is_written(secret, around):
    assert secret not in written(said=around.format(secret))
    assert secret not in written(said={"deep": [around.format(secret)]})


@pytest.mark.parametrize("text", ["password=hunter22", 'client_secret": "hunter22"', "token: hunter22"])
def test_no_password_is_written(text):
    assert "hunter22" not in without_secrets(text)


def test_an_error_is_written_with_its_place_and_without_its_variables():
    password = "hunter22"  # noqa: S105 - made up
    stream = io.StringIO()
    try:
        int("what went wrong")
    except ValueError as error:
        open_log("info", stream).error("failed", exc_info=error)
    line = msgspec.json.decode(stream.getvalue())
    assert line["error"].startswith("ValueError: invalid literal")
    assert "test_metrics_and_logs.py" in line["trace"][0]
    assert password not in stream.getvalue()


def test_a_line_is_not_endless():
    assert len(written(said="x" * 100_000)) < 10_000


def test_below_the_level_nothing_is_written():
    stream = io.StringIO()
    log = open_log("warning", stream)
    log.info("quiet")
    log.debug("quiet")
    assert stream.getvalue() == ""


def test_a_reader_that_left_costs_a_line_and_no_answer():
    stream = io.StringIO()
    stream.close()
    open_log("info", stream).info("nobody-reads-this")
