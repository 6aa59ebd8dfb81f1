"""Figures come of windows, bounds are judged, and tables say both."""

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from benchmarks import table
from benchmarks.peers import PEERS
from benchmarks.plan import Window
from benchmarks.results import Machine, Results, verdicts
from benchmarks.works import BOUNDS, CPU, WORKS, Bound, value_of

MACHINE = Machine("2026-11-22 09:00 UTC", "A processor", 2, "Linux 6", "3.11.7", "--quick")


def found(cpu_us: float, **more: Any) -> Window:
    """A window of a thousand answers; *more*: what else is known of it."""
    plain = Window(seconds=2.0, done=1000, cpu_seconds=cpu_us / 1000, resident_before=10_000_000)
    return msgspec.structs.replace(plain, **more)


@pytest.fixture
def results() -> Results:
    results = Results(MACHINE, versions={"nginx": "", "mindgate": "", "LiteLLM": "1.2.3"})
    for cpu_us in (20.0, 90.0, 22.0):
        results.add("chat-64", "nginx", found(cpu_us))
    results.add("chat-64", "mindgate", found(110.0))
    results.add("chat-64", "LiteLLM", found(22_000.0))
    results.put("start", "mindgate", "ready_s", 1.5)
    return results


def test_of_several_windows_the_median_counts(results):
    assert 22.0 == results.get("chat-64", "nginx", "cpu_us")


def test_a_window_that_others_disturbed_counts_only_where_there_is_no_other(results):
    results.add("chat-64", "mindgate", found(900.0, foreign_share=0.5))

    assert 110.0 == results.get("chat-64", "mindgate", "cpu_us")
    assert "" == results.marks("chat-64", "mindgate")

    results.windows["chat-64"]["mindgate"].pop(0)

    assert 900.0 == results.get("chat-64", "mindgate", "cpu_us")
    assert "D" == results.marks("chat-64", "mindgate")


def test_a_load_side_that_is_saturated_is_said(results):
    results.add("chat-64", "direct", found(0.0, load_share=0.99))

    assert "L" == results.marks("chat-64", "direct")


def test_the_upstream_alone_has_no_processor_time(results):
    results.add("chat-64", "direct", Window(seconds=1.0, done=10))

    assert results.get("chat-64", "direct", "cpu_us") is None
    assert 10.0 == results.get("chat-64", "direct", "rate")


def test_errors_of_all_windows_are_added(results):
    results.add("chat-64", "mindgate", found(110.0, errors={"cut": 2, "status 500": 1}))
    results.add("chat-64", "mindgate", found(110.0, errors={"cut": 1}))

    assert 4 == results.get("chat-64", "mindgate", "errors")


def test_where_noise_can_only_add_the_least_counts(results):
    for worst in (30.0, 12.0, 18.0):
        results.add("images", "mindgate", found(1.0, max_ms=worst))

    assert 12.0 == results.get("images", "mindgate", "lag_ms")


def test_work_without_an_answer_has_no_figure(results):
    results.add("burst-64", "LiteLLM", Window(seconds=3.0, done=0, errors={"cut": 3}))

    assert results.get("burst-64", "LiteLLM", "cpu_us") is None
    assert 3 == results.get("burst-64", "LiteLLM", "errors")


def test_bounds_are_judged_against_the_same_run(results):
    judged = {
        (one.bound.work, one.bound.figure, one.bound.against): one.holds
        for one in verdicts(results)
    }

    assert judged[("chat-64", "cpu_us", "nginx")] is True
    assert judged[("chat-64", "cpu_us", "LiteLLM")] is True
    assert judged[("start", "ready_s", "")] is False
    assert judged[("burst-64", "cpu_us", "nginx")] is None


def test_what_may_be_added_is_judged_by_the_difference(results):
    results.add("open-1000", "direct", found(0.0, p99_ms=3.0))
    results.add("open-1000", "mindgate", found(0.0, p99_ms=12.0))
    [verdict] = [one for one in verdicts(results) if one.bound.is_added]

    assert verdict.holds
    assert "9.00 ms more" == table.verdict_cells(verdict)[2]


def test_a_work_is_judged_against_another_of_the_same_row(results):
    results.add("chat-64", "mindgate", found(100e-6))
    results.add("resource-64", "mindgate", found(140e-6))
    [verdict] = [one for one in verdicts(results) if one.bound.against_work]

    chat = results.get("chat-64", "mindgate", "cpu_us")
    assert chat is not None
    assert verdict.limit == pytest.approx(1.5 * chat)


@pytest.mark.parametrize("bound", BOUNDS, ids=table.bound_words)
def test_a_bound_is_about_something_that_is_measured(bound: Bound):
    columns = {work.name: {column.name for column in work.figures} for work in WORKS}
    columns |= {"start": {"import_ratio", "ready_s", "idle_mb"}, "upload": {"grown_mb", "seconds"}}
    columns |= {"sockets": {"grown_mb"}}

    assert bound.figure in columns[bound.work]
    assert bound.figure in columns[bound.against_work or bound.work]
    assert bound.against in {"", "nginx", "direct", "mindgate", *(peer.name for peer in PEERS)}


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_every_column_can_be_read_from_a_window(work):
    values = [value_of(column.name, found(1.0)) for column in work.figures]

    assert len(work.figures) == len(values)
    assert set(work.shown) <= set(work.figures)


@pytest.mark.parametrize(
    ("value", "floor", "expected"),
    [
        pytest.param(110.0, 22.0, "5.0×", id="times the floor"),
        pytest.param(11.0, 22.0, "0.50×", id="less than the floor"),
        pytest.param(0.05, 22.0, "0.002×", id="a small part of the floor"),
        pytest.param(22_000.0, 22.0, "1,000×", id="many times"),
        pytest.param(None, 22.0, "", id="nothing measured"),
        pytest.param(1.0, 0.0, "", id="a floor of nothing"),
    ],
)
def test_a_ratio_is_short(value, floor, expected):
    assert expected == table.ratio(value, floor)


def test_a_terminal_shows_every_row_with_its_ratio(results):
    out = io.StringIO()

    table.show(results, Console(file=out, width=120))

    assert "mindgate" in out.getvalue()
    assert "110 (5.0×)" in out.getvalue()
    assert "5.00×" in out.getvalue()


def test_markdown_has_ratios_to_nginx_and_where_it_was_measured(results):
    lines = table.markdown(results).splitlines()

    assert "| work | figure | nginx | mindgate | LiteLLM |" == lines[0]
    assert "| chat completion, 64 clients | CPU µs | 22 | 5.0× | 1,000× |" in lines
    assert any(line.startswith("2026-11-22 09:00 UTC, A processor, 2 cores") for line in lines)


def test_results_survive_being_kept(results):
    again = msgspec.json.decode(msgspec.json.encode(results), type=Results)

    assert results == again


def test_cpu_is_for_each_answer():
    assert 110.0 == value_of(CPU.name, found(110.0))
