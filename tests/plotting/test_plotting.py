"""Figures: text alternatives from the data, contrast, nothing cut off or overlapping."""

import itertools

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from ethicalai_lab import plotting


def _rgb(colour):
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _linear(rgb):
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """Contrast ratio of two colours, WCAG 2.2."""
    light, dark = sorted(
        (float(_linear(_rgb(c)) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def test_contrast_agrees_with_published_pairs():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.005)


def _curve(bend, end):
    share = np.linspace(0, 1, 101)
    value = end * share + bend * share * (1 - share)
    return pd.DataFrame(
        {"share": share, "qini": value, "qini_low": value - 0.01, "qini_high": value + 0.01}
    )


RULES = pd.DataFrame(
    {
        "value": [250, 180, 40, 310, -20.0],
        "low": [200, 140, 10, 280, -60],
        "high": [300, 220, 70, 340, 20],
        "truth": [240, 190, 30, 320, -10],
    },
    index=["everyone", "best by response", "random third", "best by uplift", "no one"],
)
PARTS = {"recency": 0.062, "sports": 0.031, "age": -0.024, "history": 0.011, "x": -4e-4, "y": 0.002}
NODES = {
    "age": "observed",
    "income": "observed",
    "interests": "latent",
    "past_purchases": "observed",
    "label_bias": "knob",
    "mail": "observed",
    "visit": "observed",
    "spend": "observed",
}
EDGES = [
    ("age", "income"),
    ("age", "interests"),
    ("interests", "basket"),
    ("basket", "past_purchases"),
    ("income", "past_purchases"),
    ("past_purchases", "visit"),
    ("mail", "visit"),
    ("interests", "visit"),
    ("visit", "spend"),
    ("income", "spend"),
    ("label_bias", "visit"),
]


def _chances():
    rng = np.random.default_rng(3)
    a = rng.beta(2, 14, 5000)
    return a, np.clip(a + rng.normal(0.06, 0.05, 5000), 0, 1)


FIGURES = {
    "intervals": lambda: plotting.intervals(
        RULES.drop(columns="truth"), title="Rules", unit="money", xlabel="profit"
    ),
    "rules": lambda: plotting.rule_values(RULES),
    "curves": lambda: plotting.curves(
        {"by uplift": _curve(0.08, 0.05), "by response": _curve(0.01, 0.05)},
        y="qini",
        title="Qini curves",
        ylabel="extra visits a customer",
        unit="share",
        baseline=pd.DataFrame({"share": [0, 1], "qini": [0, 0.05]}),
        mark=0.3,
    ),
    "groups": lambda: plotting.uplift_groups(*_chances(), threshold=0.15),
    "graph": lambda: plotting.causal_graph(NODES, EDGES),
    "contributions": lambda: plotting.contributions(
        PARTS, 0.106, title="Why she", xlabel="chance of a visit", most=4
    ),
}


@pytest.fixture(params=FIGURES)
def figure(request):
    return FIGURES[request.param]()


def _undrawn(figure):
    """Tick labels outside an axis' limits: they exist as objects but are not drawn."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                off = not (low - 1e-9 <= tick.get_loc() <= high + 1e-9) or not axes.axison
                for label in (tick.label1, tick.label2):
                    if off or not label.get_visible():
                        hidden.add(id(label))
    return hidden


def _texts(figure):
    """Every text that is drawn, with its box in pixels."""
    picture = figure.picture
    picture.canvas.draw()
    hidden = _undrawn(figure)
    renderer = picture.canvas.get_renderer()
    return [
        (t.get_text(), t.get_window_extent(renderer))
        for t in picture.findobj(Text)
        if t.get_visible() and t.get_text().strip() and id(t) not in hidden
    ]


def test_no_text_is_cut_off(figure):
    width, height = figure.picture.canvas.get_width_height()
    for text, box in _texts(figure):
        assert box.x0 >= -0.5, text
        assert box.y0 >= -0.5, text
        assert box.x1 <= width + 0.5, text
        assert box.y1 <= height + 0.5, text


def test_no_text_overlaps_another(figure):
    boxes = _texts(figure)
    assert len(boxes) > 4
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        overlap_x = min(a.x1, b.x1) - max(a.x0, b.x0)
        overlap_y = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert overlap_x < 1 or overlap_y < 1, (one, other)


def test_the_overlap_check_sees_an_overlap():
    picture, axes = plotting.canvas()
    axes.text(0.5, 0.5, "one text", transform=axes.transAxes)
    axes.text(0.52, 0.5, "another", transform=axes.transAxes)
    with pytest.raises(AssertionError, match="one text"):
        test_no_text_overlaps_another(plotting.Figure(picture, "Two texts."))


def test_same_data_same_bytes(request):
    for name, draw in FIGURES.items():
        assert draw().png() == draw().png(), name


def test_a_readers_own_settings_change_nothing():
    before = FIGURES["curves"]().png()
    with matplotlib.rc_context({"font.size": 22, "lines.linewidth": 9, "axes.grid": True}):
        assert FIGURES["curves"]().png() == before


def test_pictures_are_light():
    for name, draw in FIGURES.items():
        assert len(draw().png()) < 60_000, name


def test_drawing_leaves_no_global_figure():
    from matplotlib import pyplot

    FIGURES["rules"]().png()
    assert pyplot.get_fignums() == []


def test_the_html_has_the_alt_text_escaped():
    picture, _ = plotting.canvas(2, 1)
    shown = plotting.Figure(picture, 'a "quoted" <b> & more')._repr_html_()
    assert 'alt="a &quot;quoted&quot; &lt;b&gt; &amp; more"' in shown
    assert "data:image/png;base64," in shown


def test_an_empty_alt_is_refused():
    picture, _ = plotting.canvas(2, 1)
    with pytest.raises(plotting.PlotError, match="alt is empty"):
        plotting.Figure(picture, "  ")


def test_palette_stands_out_from_paper_and_text_is_readable():
    for colour in (plotting.INK, plotting.MUTED, *plotting.PALETTE):
        assert contrast(colour, "#FFFFFF") >= 4.5, colour


# Machado, Oliveira and Fernandes (2009), severity 1.0
SIGHT = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def _lab(linear):
    xyz = (
        np.array(
            [
                [0.4124, 0.3576, 0.1805],
                [0.2126, 0.7152, 0.0722],
                [0.0193, 0.1192, 0.9505],
            ]
        )
        @ np.clip(linear, 0, 1)
        / [0.95047, 1, 1.08883]
    )
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_palette_stays_apart_for_colour_blind_eyes(sight):
    seen = [_lab(SIGHT[sight] @ _linear(_rgb(colour))) for colour in plotting.PALETTE]
    for (i, a), (j, b) in itertools.combinations(enumerate(seen), 2):
        least = 10 if j == 5 else 20  # the sixth is grey, for what stands back
        assert np.linalg.norm(a - b) > least, (plotting.PALETTE[i], plotting.PALETTE[j])
    for a, b in itertools.combinations(seen[:3], 2):  # what most figures use
        assert np.linalg.norm(a - b) > 39


def test_as_many_markers_lines_and_hatches_as_colours():
    for looks in (plotting.MARKERS, plotting.LINES, plotting.HATCHES):
        assert len(set(map(str, looks))) == len(plotting.PALETTE)


def test_alt_texts_follow_the_data():
    said = plotting.rule_values(RULES).alt
    order = ["best by uplift", "everyone", "best by response", "random third", "no one"]
    assert sorted(order, key=said.index) == order
    assert "best by uplift: 310 (280 to 340), truth 320" in said
    changed = plotting.rule_values(RULES.replace({310.0: 300.0})).alt
    assert "best by uplift: 300" in changed


def test_curve_alt_reports_the_peak_or_the_mark():
    tables = {"by uplift": _curve(0.08, 0.05)}
    shape = {"y": "qini", "title": "T", "ylabel": "y", "unit": "share"}
    assert (
        "highest 5.3 % at share 81 %, 5.0 % at share 100 %" in plotting.curves(tables, **shape).alt
    )
    assert "at 30 %. by uplift: 3.2 %" in plotting.curves(tables, mark=0.3, **shape).alt


def test_uplift_groups_counts_every_customer_not_only_those_drawn():
    without = np.repeat([0.1, 0.5, 0.1, 0.5], [1_800, 600, 450, 150])
    offered = np.repeat([0.1, 0.5, 0.5, 0.1], [1_800, 600, 450, 150])
    said = plotting.uplift_groups(without, offered, threshold=0.3).alt
    assert (
        "persuadables 15.0 %, sure things 20.0 %, lost causes 60.0 % and do-not-disturbs 5.0 %"
        in said
    )
    assert "15.0 % of the 3,000 customers" in said


def test_causal_graph_keeps_paths_through_hidden_nodes():
    said = plotting.causal_graph(NODES, EDGES).alt
    assert "interests (hidden) causes past purchases and visit" in said
    assert "basket" not in said


def test_causal_graph_refuses_a_circle():
    with pytest.raises(plotting.PlotError, match="circle"):
        plotting.causal_graph({"a": "observed", "b": "observed"}, [("a", "b"), ("b", "a")])


def test_no_arrow_runs_behind_a_box_it_does_not_belong_to():
    figure = plotting.causal_graph(NODES, EDGES)
    picture = figure.picture
    picture.canvas.draw()
    axes = figure.axes[0]
    boxes = {
        t.get_text(): t.get_bbox_patch().get_window_extent()
        for t in axes.texts
        if t.get_text() and t.get_bbox_patch() is not None
    }
    assert len(boxes) == len(NODES)
    arrows = [t.arrow_patch for t in axes.texts if getattr(t, "arrow_patch", None) is not None]
    assert len(arrows) >= 9
    for arrow in arrows:
        path = arrow.get_transform().transform_path(arrow.get_path())
        start, end = path.vertices[0], path.vertices[2]
        points = start + np.linspace(0.04, 0.96, 60)[:, None] * (end - start)
        for name, box in boxes.items():
            inside = (
                (points[:, 0] > box.x0)
                & (points[:, 0] < box.x1)
                & (points[:, 1] > box.y0)
                & (points[:, 1] < box.y1)
            )
            assert not inside.any(), name


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: plotting.intervals(RULES.drop(columns="low"), title="T"), "column 'low'"),
        (lambda: plotting.intervals(RULES.iloc[:0], title="T"), "no rows"),
        (lambda: plotting.intervals(RULES, title="T", unit="furlongs"), "unit must be one of"),
        (lambda: plotting.curves({}, y="v", title="T", ylabel="v"), "no curve"),
        (lambda: plotting.uplift_groups([0.1], [0.2, 0.3], threshold=0.1), "equal length"),
        (lambda: plotting.uplift_groups([1.4], [0.2], threshold=0.1), "0 to 1"),
        (lambda: plotting.causal_graph({"a": "odd"}, []), "node 'a' is 'odd'"),
    ],
)
def test_data_that_cannot_be_drawn_is_named(draw, says):
    with pytest.raises(plotting.PlotError, match=says):
        draw()


def test_contributions_lead_from_base_to_score_with_nothing_lost():
    figure = FIGURES["contributions"]()
    bars = figure.axes[0].patches
    assert len(bars) == 5
    at = 0.106
    for bar, value in zip(bars, [0.062, 0.031, -0.024, 0.011, 0.0016], strict=True):
        assert bar.get_x() == pytest.approx(at)
        assert bar.get_width() == pytest.approx(value)
        at += value
    assert at == pytest.approx(0.106 + sum(PARTS.values()))
    assert figure.alt.startswith("Why she: from 10.6 % to 18.8 %. recency +6.2 points")
    assert figure.alt.endswith("history +1.1 points, 2 other columns +0.2 points.")
    # what lowers the score differs by hatch, not by colour alone
    assert {bool(bar.get_hatch()) for bar in bars if bar.get_width() < 0} == {True}
    assert {bool(bar.get_hatch()) for bar in bars if bar.get_width() > 0} == {False}


@pytest.mark.parametrize(
    ("parts", "base", "most", "fault"),
    [
        ({}, 0.1, 3, "no parts"),
        ({"age": float("nan")}, 0.1, 3, "part 'age' is not a number"),
        ({"age": 0.1}, float("inf"), 3, "base is not a number"),
        ({"age": 0.1}, 0.1, 0, "most is 0"),
    ],
)
def test_contributions_refuse_what_cannot_be_drawn(parts, base, most, fault):
    with pytest.raises(plotting.PlotError, match=fault):
        plotting.contributions(parts, base, title="t", most=most)


def test_a_picture_packed_in_a_hurry_shows_the_same():
    import base64
    import io
    import re

    from PIL import Image

    drawn = []
    for _ in range(2):
        picture, axes = plotting.canvas(4, 3)
        axes.plot([1, 3, 2], label="a")
        axes.fill_between([0, 1, 2], [1, 2, 1], alpha=0.4)
        drawn.append(plotting.Figure(picture, "A line that rises and falls."))
    hasty = drawn[0].live_html()
    assert 'alt="A line that rises and falls."' in hasty
    data = base64.b64decode(re.search(r"base64,([^\"]+)", hasty)[1])
    one = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)
    two = np.asarray(Image.open(io.BytesIO(drawn[1].png())).convert("RGB"), dtype=int)
    assert one.shape == two.shape
    assert np.abs(one - two).mean() < 2
    # what was packed for good is not packed again
    assert drawn[1].live_html() == drawn[1]._repr_html_()
