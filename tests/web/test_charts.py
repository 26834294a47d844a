import re

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from web.charts import BOTTOM, GAPS, LEFT, TOP, Series, line_chart, top_of


@settings(deadline=None, max_examples=200)
@given(st.floats(0, 1e12))
def test_the_axis_reaches_over_the_highest_value_but_not_far(most: float) -> None:
    top = top_of(most)
    assert top >= most
    assert top == GAPS or top <= most * 2.0001
    assert top * 4 % 4 == 0


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60))
def test_every_point_lies_at_its_height_within_the_frame(values: list[int]) -> None:
    chart = line_chart([str(n) for n in range(len(values))], [Series("People", tuple(values))])
    for drawing in (chart.wide, chart.narrow):
        points = [
            tuple(map(float, pair.split(",")))
            for pair in re.findall(r"[ML]([\d.]+,[\d.]+)", drawing.lines[0].path)
        ]
        top, high = top_of(max(values)), drawing.height - BOTTOM - TOP
        assert len(points) == len(values)
        for (x, y), value in zip(points, values, strict=True):
            assert LEFT <= x <= drawing.width
            assert abs((drawing.base - y) / high * top - value) <= top / high


def test_a_line_that_goes_on_beyond_the_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="'People' has 3 values for 2 labels"):
        line_chart(["a", "b"], [Series("People", (1, 2, 3))])


@pytest.mark.parametrize(("known", "points"), [(0, 0), (1, 1), (3, 3)])
def test_what_is_not_known_yet_is_not_drawn(app: Flask, known: int, points: int) -> None:
    labels = [f"{hour} h" for hour in range(48)]
    chart = line_chart(labels, [Series("People", (7, 5, 6)[:known])])
    whole = line_chart(labels, [Series("People", (7, 5, 6) + (0,) * 45)])
    for drawing, full in ((chart.wide, whole.wide), (chart.narrow, whole.narrow)):
        found = [re.findall(r"[ML]([\d.]+,[\d.]+)", line.path) for line in drawing.lines]
        assert [len(one) for one in found] == ([points] if known else [])
        if known:
            assert set(found[0]) == set(re.findall(r"[ML]([\d.]+,[\d.]+)", full.lines[0].path)[:known])
            assert found[0][-1].split(",")[0] in drawing.lines[0].area.split(" L")[-1]
        assert drawing.across == full.across  # the axis has all hours
    with app.test_request_context():
        ui = app.jinja_env.get_template("ui.html").module
        assert ui.line_chart(chart, "Opens", "Hour").count("<tr>") == 1 + known


def test_a_chart_of_nothing_draws(app: Flask) -> None:
    with app.test_request_context():
        ui = app.jinja_env.get_template("ui.html").module
        assert "<svg" in ui.line_chart(line_chart([], [Series("People", ())]), "Nothing", "Hour")


def test_the_numbers_stand_in_a_table_too(app: Flask) -> None:
    with app.test_request_context():
        ui = app.jinja_env.get_template("ui.html").module
        drawn = ui.line_chart(line_chart(["a", "b"], [Series("People", (1500, 2))]), "Opens", "Hour")
    assert '<td class="num">1,500</td>' in drawn
    assert 'aria-label="Opens"' in drawn
