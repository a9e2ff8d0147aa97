"""Markdown, HTML, figures and the terminal: the same bytes for the same results, and nothing unescaped."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from rich.console import Console

from btard.arena.cell import Result
from btard.arena.figures import LINES_MAX, Drawn, draw
from btard.arena.pages import html, markdown
from btard.arena.progress import Display
from btard.arena.report import Report, make_report
from btard.arena.show import write_report
from btard.arena.spec import parse_spec
from btard.arena.terminal import show_report
from btard.lab import Experiment
from btard.pool import Failure
from tests.arena.cases import TINY, an_experiment, an_outcome


def a_report(text: str = TINY, holes: bool = False) -> Report:
    """All cells with results; with `holes`, the first crashed and the last three seeds are impossible."""
    spec = parse_spec(text)
    cells = spec.experiments()
    known: dict[Experiment, Result] = {
        each: an_outcome(0.1, 0.3 + each.seed / 10, 0.5 + each.seed / 10 + (each.rule == "median") / 10)
        for each in cells
    }
    if not holes:
        return make_report(spec, cells, known, {}, "btard arena tiny.toml")
    known[cells[0]] = Failure("MemoryError: <none> left")
    refused = {each: "too few rows" for each in cells[-3:] if known.pop(each)}
    return make_report(spec, cells, known, refused, "btard arena tiny.toml")


def everywhere(report: Report) -> tuple[str, ...]:
    """The report as Markdown, as a page, and as on a terminal."""
    return markdown(report), html(report), "\n".join(shown(report, 100))


def wide(rows: int, columns: int) -> str:
    """A spec with many rules and attacks."""
    rules = [f"bucketing(s=2)+centered_clip(tau={k})" for k in range(1, rows + 1)]
    attacks = [f"delayed_gradient(delay={k})" for k in range(1, columns + 1)]
    return f'title = "Wide"\n[grid]\nrule = {rules}\nattack = {attacks}\nseed = [0, 1]\n'


def shown(report: Report, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    show_report(console, report)
    return output(console).splitlines()


def output(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def elements(page: str) -> list[ElementTree.Element]:
    """Every element of a page; fails where tags don't close each other."""
    void_closed = re.sub(r"<((?:meta|img)\b[^>]*)>", r"<\1/>", page.removeprefix("<!doctype html>\n"))
    return list(ElementTree.fromstring(void_closed).iter())


@pytest.fixture(scope="module")
def drawn() -> tuple[Drawn, ...]:
    return draw(a_report())


def test_same_results_make_the_same_bytes(drawn: tuple[Drawn, ...]) -> None:
    assert draw(a_report()) == drawn
    assert everywhere(a_report()) == everywhere(a_report())


def test_markdown_has_the_table_and_what_repeats_it(drawn: tuple[Drawn, ...]) -> None:
    text = markdown(a_report(), drawn)
    assert r"# Tiny \<b\>grid\</b\>" in text
    assert "| `median` |" in text
    assert "**55.0 ± 24.8**" in text
    assert "    btard arena tiny.toml\n" in text
    assert "| `learning_rate` " in text
    assert "![Accuracy by rule and attack](figures/heat.png)" in text
    assert TINY.strip() in text


def test_html_is_well_formed_escaped_and_loads_nothing(drawn: tuple[Drawn, ...]) -> None:
    page = html(a_report(holes=True), drawn)
    assert "<title>Tiny &lt;b&gt;grid&lt;/b&gt;</title>" in page
    assert "Two rules &amp; two attacks." in page
    assert "&lt;none&gt; left" in page
    assert "<b>" not in page
    assert "<script" not in page
    sources = [value for each in elements(page) for name, value in each.items() if name in ("src", "href")]
    assert len(sources) == len(drawn)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "url(" not in page


def test_rule_s_name_cannot_bring_markup_into_the_page() -> None:
    cells = (Experiment(rule='<img src=x onerror="1">', byzantine=0),)
    report = make_report(parse_spec(TINY), cells, {cells[0]: an_outcome(0.1, 0.2)}, {}, "btard arena x")
    assert "img" not in {each.tag for each in elements(html(report))}


def test_cells_without_a_result_are_listed_with_their_reason() -> None:
    for text in everywhere(a_report(holes=True)):
        assert "MemoryError" in text
        assert "rule=mean attack=none seed=0" in text
        assert "too few rows" in text
        assert "rule=median attack=sign_flip(scale=1)" in text
        assert text.count("too few rows") <= 3  # once a cell, not once a seed


def test_cells_that_were_not_run_are_counted() -> None:
    spec = parse_spec(TINY)
    report = make_report(spec, spec.experiments(), {}, {}, "btard arena tiny.toml")
    for text in everywhere(report):
        assert "12 of 12 cells were not run" in text
    assert draw(report) == ()


def test_times_are_in_the_report_only_where_the_spec_asks_and_are_set_apart() -> None:
    for text in everywhere(a_report(TINY + "timing = true\n")):
        assert "66.67" in text
        assert "Times differ from run to run" in " ".join(text.split())
    assert "Times" not in markdown(a_report())


def test_figures_are_png_and_svg_of_sensible_size(drawn: tuple[Drawn, ...]) -> None:
    assert [each.file for each in drawn] == ["figures/heat.png", "figures/curves.png"]
    for each in drawn:
        assert each.png.startswith(b"\x89PNG\r\n")
        width, height = (int.from_bytes(each.png[at : at + 4], "big") for at in (16, 20))
        assert (width, height) == pytest.approx((each.width * 130 / 96, each.height * 130 / 96), abs=2)
        assert 300 < each.width < 1600
        assert 150 < each.height < 1600
        assert len(each.png) < 500_000
        root = ElementTree.fromstring(each.svg)
        assert root.tag.endswith("svg")
        assert b"<dc:date>" not in each.svg


def test_many_rows_are_drawn_in_several_figures_of_few_lines() -> None:
    kinds = [each.file for each in draw(a_report(wide(LINES_MAX + 1, 1)))]
    assert kinds == ["figures/heat.png", "figures/curvesa.png", "figures/curvesb.png"]


def test_splits_have_their_own_tables_and_figures() -> None:
    report = a_report(TINY + "[[grids]]\nestimator = ['gradient']\n[[grids]]\nestimator = ['mu2']\n")
    assert [section.table.name for section in report.sections] == ["estimator = gradient", "estimator = mu2"]
    text = markdown(report, draw(report))
    assert "## estimator = mu2" in text
    assert "(figures/heat-2.png)" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_terminal_s_tables_fit_its_width_and_lose_no_column(width: int) -> None:
    lines = shown(a_report(wide(3, 9)), width)
    assert max(map(len, lines)) <= width
    heading = [word for line in lines for word in line.split()]
    assert heading.count("delayed_gradie") + heading.count("delayed_gradient") == 9
    assert "worst" in heading


def test_figures_of_an_earlier_report_are_removed(tmp_path: Path, drawn: tuple[Drawn, ...]) -> None:
    written = write_report(tmp_path, a_report(), drawn)
    assert [path.name for path in written] == ["report.md", "report.html", "figures"]
    files = {f"{stem}.{kind}" for stem in ("curves", "heat") for kind in ("png", "svg")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == files
    write_report(tmp_path, a_report(), ())
    assert list((tmp_path / "figures").iterdir()) == []


def test_progress_on_a_terminal_shows_what_runs_and_what_crashed() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    cells = [an_experiment(rule) for rule in ("mean", "median")]
    with Display(console, 2, ["rule"]) as display:
        display.show(cells[0], None)
        display.show(cells[1], None)
        display.show(cells[0], Failure("[odd] reason"))
    for text in ("rule=median", "1/2", "[odd] reason"):
        assert text in output(console)


def test_progress_elsewhere_is_a_line_a_cell() -> None:
    console = Console(file=io.StringIO(), width=80)
    with Display(console, 12, ["rule"]) as display:
        display.show(an_experiment(), None)
        display.show(an_experiment(), an_outcome(0.1, 0.5, diverged=1))
    assert output(console) == " 1/12  rule=median: 50.0 %, diverged in step 1, 1.0 s\n"
