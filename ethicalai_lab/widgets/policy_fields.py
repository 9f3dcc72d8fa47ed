"""The controls of a policy's fields, and what makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ethicalai_lab.core.report import render
from ethicalai_lab.policy import sections, wording
from ethicalai_lab.policy.offers import list_assumed, list_options, stops

if TYPE_CHECKING:
    from ethicalai_lab.policy import PolicyLab

__all__ = ["OPEN", "Field", "Kit"]

OPEN = ""  # a choice of None would show as no choice at all
_NAMES = {
    "anonymization.k": "k: people who look alike",
    "anonymization.l": "l: different sensitive values",
    "anonymization.t": "t: distance to everyone",
    "data.zero_party_questions": "Questions asked",
    "consent.honour_gpc": "Honour Global Privacy Control",
    "transparency.ai_disclosure": "AI disclosure",
    "duty.dpia": "Impact assessment (DPIA)",
}
_UNDECIDED = "undecided"
_WIDE = {"width": "auto", "min_width": "0"}
_WHOLE_LABEL = {"description_width": "initial"}


class Kit:
    """Makes the page's widgets; equal layouts are one, since a page of few models opens sooner."""

    def __init__(self) -> None:
        self._shared: dict[Any, Any] = {}

    def layout(self, **values: str) -> Any:
        """Return a layout."""
        import ipywidgets as w

        key = tuple(sorted(values.items()))
        if key not in self._shared:
            self._shared[key] = w.Layout(**values)
        return self._shared[key]

    def _style(self, kind: str) -> Any:
        """Return the one style that all widgets of a kind share."""
        import ipywidgets as w

        if kind not in self._shared:
            self._shared[kind] = getattr(w, kind).style.klass()
            if kind != "HTML":
                self._shared[kind].description_width = "initial"
        return self._shared[kind]

    def html(self, value: str = "", **layout: str) -> Any:
        """Return a place for HTML."""
        import ipywidgets as w

        return w.HTML(value, layout=self.layout(**layout), style=self._style("HTML"))

    def tick(self, text: str, tip: str, margin: str, do: Callable[[bool], None], on: bool) -> Any:
        """Return a box to tick that hands on what it becomes."""
        import ipywidgets as w

        made = w.Checkbox(
            value=on,
            description=text,
            indent=False,
            style=self._style("Checkbox"),
            tooltip=tip,
            layout=self.layout(width="max-content", margin=margin),
        )
        made.observe(lambda change: do(change["new"]), names="value")
        return made

    def button(self, text: str, tip: str, do: Callable[[], Any]) -> Any:
        """Return a button that does something."""
        import ipywidgets as w

        layout = self.layout(width="max-content", flex="0 0 auto")
        made = w.Button(description=text, tooltip=tip, layout=layout)
        made.on_click(lambda _: do())
        return made

    def text(self, label: str, value: str = "", **more: Any) -> Any:
        """Return a box for a text."""
        import ipywidgets as w

        layout = more.pop("layout", None) or self.layout(width="26em", max_width="100%")
        return w.Text(value=value, description=label, style=_WHOLE_LABEL, layout=layout, **more)

    def progress(self, label: str, width: str) -> Any:
        """Return a bar that shows how far something is."""
        import ipywidgets as w

        layout = self.layout(width=width, max_width="100%")
        return w.IntProgress(0, max=1, description=label, style=_WHOLE_LABEL, layout=layout)

    def row(self, *parts: Any) -> Any:
        """Return widgets side by side, in lines as wide as the page."""
        import ipywidgets as w

        return w.HBox(list(parts), layout=self.layout(flex_flow="row wrap", align_items="center"))

    def column(self, *parts: Any, **layout: str) -> Any:
        """Return widgets below each other."""
        import ipywidgets as w

        return w.VBox(list(parts), layout=self.layout(**(layout or _WIDE)))


def _assumed(path: str) -> str:
    value = sections.assumed(path)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return wording.said(value)


class Field:
    """The controls of one field, and the place where its refusals are said.

    `owner` is the page: it has the session, the kit, whether it is `quiet`, and `set`.
    """

    def __init__(self, path: str, owner: Any) -> None:
        self.path, self.owner, self.kit = path, owner, owner.kit
        name = path.rpartition(".")[2].replace("_", " ")
        self.label = _NAMES.get(path, name[0].upper() + name[1:])
        self.message = self.kit.html(**_WIDE)
        self._refusal = ""
        self.control = self._control()
        self.view = self.kit.column(self.control.view, self.message, **_WIDE, margin="0 0 8px 0")
        self.say("")

    def _control(self) -> Any:
        kind = sections.kind(self.path)
        if sections.is_list(self.path):
            return _Names(self, self.owner.session.lab)
        if sections.choices(self.path):
            return _Choice(self, [(word, word) for word in sections.choices(self.path)])
        if kind is bool:
            return _Choice(self, [("yes", True), ("no", False)])
        return _Reason(self) if kind is str else _Number(self)

    @property
    def tip(self) -> str:
        """What the field means and accepts."""
        unit = f", {sections.unit(self.path)}" if sections.unit(self.path) else ""
        return f"{sections.meaning(self.path)} Accepted: {sections.accepted(self.path)}{unit}."

    def changed(self, value: Any) -> None:
        """Hand a control's new value on, unless the page itself is setting it."""
        if not self.owner.quiet and value != self.owner.session.policy[self.path]:
            self.owner.set(self.path, value)

    def show(self, value: Any) -> None:
        """Set the controls to a value of the policy."""
        self.control.show(value)
        if self._refusal:
            self.say("")

    def say(self, refusal: str) -> None:
        """Say the meaning of the field and, above it, why a value was refused."""
        self._refusal = refusal
        about = self._about()
        self.message.value = render("widgets/templates/field.html", refusal=refusal, about=about)

    def _about(self) -> str:
        about, unit = sections.meaning(self.path), sections.unit(self.path)
        if not unit or sections.choices(self.path):
            return about
        about += f" {sections.accepted(self.path).capitalize()}, {unit}."
        if not _assumed(self.path):
            return f"{about} Undecided means none; the box shows where a decision would begin."
        if "hile undecided" in about:
            return about
        return f"{about} While undecided: {_assumed(self.path)}."

    def undecided(self, decide: Callable[[bool], None]) -> Any:
        """Return the box that leaves the field undecided."""
        tip = f"Leave {self.label} undecided"
        return self.kit.tick(_UNDECIDED, tip, "0 0 0 12px", decide, True)


class _Choice:
    """Words, or yes and no; undecided is one more.

    Buttons, however many: JupyterLab takes the arrow keys and letters that a drop-down
    list would need.
    """

    def __init__(self, field: Field, options: list[tuple[str, Any]]) -> None:
        import ipywidgets as w

        assumed = _assumed(field.path).replace("_", " ")
        undecided = f"{_UNDECIDED}, so {assumed}" if assumed else _UNDECIDED
        every = [*((text.replace("_", " "), value) for text, value in options), (undecided, OPEN)]
        self.view = self.choice = w.ToggleButtons(
            options=every,
            value=OPEN,
            description=field.label,
            tooltips=[f"{field.label}: {text}" for text, _ in every],
            style=_WHOLE_LABEL | {"button_width": "max-content"},
        )
        self.choice.observe(
            lambda change: field.changed(None if change["new"] == OPEN else change["new"]),
            names="value",
        )

    def show(self, value: Any) -> None:
        self.choice.value = OPEN if value is None else value


class _Reason:
    """Why a section was decided so."""

    def __init__(self, field: Field) -> None:
        layout = field.kit.layout(width="auto")
        self.view = self.text = field.kit.text(
            field.label, tooltip=field.tip, continuous_update=False, layout=layout
        )
        self.text.observe(lambda change: field.changed(change["new"] or None), names="value")

    def show(self, value: Any) -> None:
        self.text.value = value or ""


class _Number:
    """A number: a box for typing, a slider that stops where it matters, and undecided."""

    def __init__(self, field: Field) -> None:
        import ipywidgets as w

        self._field, self._stops = field, stops(field.path)
        low, high, excluded = sections.limits(field.path)
        whole = sections.kind(field.path) is int
        assumed = sections.assumed(field.path)
        self._start = assumed if assumed is not None else self._stops[len(self._stops) // 2]
        self.box = (w.BoundedIntText if whole else w.BoundedFloatText)(
            value=self._start,
            min=1e-6 if excluded else low,
            max=high,
            step=1 if whole else 0.01,
            description=field.label,
            tooltip=field.tip,
            style=_WHOLE_LABEL,
            layout=field.kit.layout(width="max-content", max_width="100%"),
        )
        self.slider = w.IntSlider(
            value=self._near(self._start),
            min=0,
            max=len(self._stops) - 1,
            readout=False,
            tooltip=f"{field.label}, in steps",
            layout=field.kit.layout(width="12em", max_width="100%"),
        )
        self.open = field.undecided(self._opened)
        self.box.observe(lambda change: field.changed(change["new"]), names="value")
        self.slider.observe(lambda change: field.changed(self._stops[change["new"]]), names="value")
        self.view = field.kit.row(self.box, self.slider, self.open)

    def _near(self, value: float) -> int:
        return min(range(len(self._stops)), key=lambda i: abs(self._stops[i] - value))

    def _opened(self, undecided: bool) -> None:
        self._field.changed(None if undecided else self.box.value)

    def show(self, value: Any) -> None:
        number = self._start if value is None else value
        self.box.value = number
        self.slider.value = self._near(number)
        self.open.value = value is None


class _Names:
    """A list of names: a box to tick for each, and undecided."""

    def __init__(self, field: Field, lab: PolicyLab) -> None:
        import ipywidgets as w

        self._field, self._usual = field, list_assumed(field.path, lab)
        self.open = field.undecided(self._opened)
        self.ticks: dict[str, Any] = {}
        layout = field.kit.layout(flex_flow="row wrap", width="100%", margin="0 0 0 12px")
        self._grid = w.HBox(layout=layout)
        for name in list_options(field.path, lab):
            self._add(name)
        head = field.kit.html(f"{field.label}:")
        self.view = field.kit.column(field.kit.row(head, self.open), self._grid)

    def _add(self, name: str) -> None:
        tip, text = f"{self._field.label}: {name}", name.replace("_", " ")
        self.ticks[name] = self._field.kit.tick(text, tip, "0 12px 0 0", self._ticked, False)
        self._grid.children = tuple(self.ticks.values())

    def _ticked(self, _: bool) -> None:
        # in the order of the policy, then of the page: an unchanged list stays unchanged
        now = self._field.owner.session.policy[self._field.path] or ()
        chosen = [name for name, tick in self.ticks.items() if tick.value]
        self._field.changed(
            [name for name in now if name in chosen] + [n for n in chosen if n not in now]
        )

    def _opened(self, undecided: bool) -> None:
        self._field.changed(None if undecided else list(self._usual))

    def show(self, value: Any) -> None:
        for name in value or ():
            if name not in self.ticks:
                self._add(name)
        shown = self._usual if value is None else value
        for name, tick in self.ticks.items():
            tick.value = name in shown
        self.open.value = value is None
