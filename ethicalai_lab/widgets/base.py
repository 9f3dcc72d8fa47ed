"""From a pure function to a static figure to a widget, one step at a time.

A widget's committed output is its static figure with a text alternative: that is
what a page without a kernel shows. With a kernel the same output carries the live
widget too, and the front end shows the widget *instead of* the figure, because one
output bundle holds both forms. The live form has a random identifier; saving a
lesson drops it (`application/vnd.jupyter.widget-view+json`), so that what is
committed never changes without a reason.
"""

from __future__ import annotations

import html
import inspect
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ethicalai_lab.errors import InputError

__all__ = ["WIDGET_VIEW", "WhatIf", "choice_widget", "view_of", "what_if"]

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_WIDE = {"description_width": "initial"}


class WidgetError(InputError):
    """A widget is described in a way that cannot work."""


def view_of(widget: Any) -> dict[str, Any]:
    """Return the part of an output bundle that shows `widget` live."""
    return {
        WIDGET_VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id},
    }


def choice_widget(
    prompt: str, choices: Mapping[str, str], react: Callable[[str], Any], verb: str = "Choose"
) -> Any:
    """Build a question with a button for each option, and a place for the reply.

    Buttons rather than radio buttons: JupyterLab takes the up and down arrows for
    itself, so that a group of radio buttons cannot be used without a mouse.

    Parameters
    ----------
    prompt : str
        The question.
    choices : mapping of str to str
        Text of each option by its key.
    react : callable
        ``react(key)`` returns the reply, an object with ``_repr_html_``.
    verb : str, default "Choose"
        What pressing a button does, for its tooltip.

    Returns
    -------
    ipywidgets.VBox
    """
    import ipywidgets as widgets

    from ethicalai_lab.lessons.feedback import inline

    reply = widgets.HTML()
    buttons = {
        key: widgets.Button(
            description=key,
            tooltip=f"{verb} {key}: {text.replace('`', '')}",
            layout=widgets.Layout(width="4em", flex="0 0 auto"),
        )
        for key, text in choices.items()
    }

    def pressed(button: Any) -> None:
        for other in buttons.values():
            other.icon = "check" if other is button else ""
        reply.value = react(button.description)._repr_html_()

    rows = []
    for key, button in buttons.items():
        button.on_click(pressed)
        text = widgets.HTML(f'<div style="line-height:1.4">{inline(choices[key])}</div>')
        rows.append(
            widgets.HBox(
                [button, text], layout=widgets.Layout(align_items="center", margin="2px 0")
            )
        )
    question = widgets.HTML(f"<p>{inline(' '.join(prompt.split()))}</p>")
    return widgets.VBox([question, *rows, reply])


class WhatIf:
    """A figure that depends on a few controls.

    Made by :func:`what_if`. Shown in a notebook, it is the static figure at the
    controls' first values, and with a kernel the same figure with live controls.

    Attributes
    ----------
    values : dict
        The controls' present values.
    figure : Figure
        The figure at these values.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        controls: Mapping[str, Any],
        labels: Mapping[str, str],
        title: str,
        live: bool,
    ) -> None:
        self._function = function
        self._controls = controls
        self._labels = labels
        self._title = title
        self._live = live
        self._drawn: dict[tuple[Any, ...], Any] = {}
        self.values = {name: _first(name, spec) for name, spec in controls.items()}
        self.figure = self._draw()

    def _draw(self) -> Any:
        """Return the figure at the present values; each is drawn only once."""
        key = tuple(self.values.values())
        if key not in self._drawn:
            self._drawn[key] = self._function(**self.values)
            if len(self._drawn) > 64:
                del self._drawn[next(iter(self._drawn))]
        return self._drawn[key]

    def set(self, **values: Any) -> WhatIf:
        """Return this figure at other values, as the controls would set them.

        Raises
        ------
        WidgetError
            If a name is no control, or a value lies outside it.
        """
        for name, value in values.items():
            if name not in self._controls:
                raise WidgetError(
                    f"there is no control {name!r}; there are {', '.join(self._controls)}"
                )
            _admit(name, self._controls[name], value)
        other = object.__new__(WhatIf)
        other.__dict__.update(self.__dict__)
        other.values = {**self.values, **values}
        other.figure = other._draw()
        return other

    def widget(self) -> Any:
        """Return a live widget: the controls, and the figure they set below."""
        import ipywidgets as widgets

        shown = widgets.HTML(self._html(self.figure))
        made = {
            name: _control(name, spec, self._labels.get(name, name), self.values[name], self._live)
            for name, spec in self._controls.items()
        }
        controls = {name: holds for name, (holds, _) in made.items()}
        rows = [seen for _, seen in made.values()]
        here = self

        def moved(_: Any) -> None:
            nonlocal here
            values = {name: control.value for name, control in controls.items()}
            if values == here.values:
                return
            try:
                here = here.set(**values)
                shown.value = self._html(here.figure, live=True)
            except Exception as error:  # in the widget there is no other place to say it
                text = html.escape(f"{type(error).__name__}: {error}")
                shown.value = f'<p role="status">This could not be drawn. {text}</p>'

        for control in controls.values():
            control.observe(moved, names="value")
        head = [widgets.HTML(f"<p><strong>{html.escape(self._title)}</strong></p>")]
        return widgets.VBox([*(head if self._title else []), *rows, shown])

    @staticmethod
    def _html(figure: Any, *, live: bool = False) -> str:
        """Return the figure as HTML whose change is announced to a screen reader."""
        hasty = getattr(figure, "live_html", None) if live else None
        return f'<div aria-live="polite">{hasty() if hasty else figure._repr_html_()}</div>'

    def __repr__(self) -> str:
        at = ", ".join(f"{self._labels.get(k, k)}: {_said(v)}" for k, v in self.values.items())
        title = f"{self._title} " if self._title else ""
        return f"{title}({at}). {self.figure.alt}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        at = ", ".join(
            f"{html.escape(self._labels.get(name, name))} <strong>{html.escape(_said(value))}"
            "</strong>"
            for name, value in self.values.items()
        )
        title = f"<strong>{html.escape(self._title)}</strong> " if self._title else ""
        return {
            "text/plain": repr(self),
            "text/html": (
                f"<p>{title}Shown for {at}. With a running kernel this is a widget.</p>"
                f"{self.figure._repr_html_()}"
            ),
            **view_of(self.widget()),
        }


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_range(spec: Any) -> bool:
    return (
        isinstance(spec, tuple)
        and len(spec) in (3, 4)
        and all(isinstance(x, numbers.Real) and not isinstance(x, bool) for x in spec)
    )


def _first(name: str, spec: Any) -> Any:
    """Return the value a control starts at, after checking its description."""
    if isinstance(spec, bool):
        return spec
    if _is_range(spec):
        low, high, step = spec[:3]
        start = spec[3] if len(spec) == 4 else low
        if not (low < high and step > 0 and low <= start <= high):
            raise WidgetError(f"{name}: a range is (low, high, step) or (low, high, step, start)")
        return start
    if isinstance(spec, Mapping) and spec:
        return next(iter(spec.values()))
    if isinstance(spec, Sequence) and not isinstance(spec, str) and spec:
        return spec[0]
    raise WidgetError(
        f"{name}: describe a control by (low, high, step, start), a list or dictionary of "
        "options, or True/False"
    )


def _admit(name: str, spec: Any, value: Any) -> None:
    """Raise unless `value` is one that the control can take."""
    if isinstance(spec, bool):
        fine = isinstance(value, bool)
    elif _is_range(spec):
        fine = isinstance(value, numbers.Real) and spec[0] <= value <= spec[1]
    else:
        fine = value in (list(spec.values()) if isinstance(spec, Mapping) else list(spec))
    if not fine:
        raise WidgetError(f"{name} cannot be {value!r}")


def _control(name: str, spec: Any, label: str, value: Any, live: bool) -> tuple[Any, Any]:
    """Return what holds one control's value, and what is shown for it.

    A slider comes with a number box: the box has the label a screen reader needs
    (sliders in ipywidgets have none) and takes typed values; both stay equal.
    """
    import ipywidgets as widgets

    wide = widgets.Layout(width="34em", max_width="100%")
    if isinstance(spec, bool):
        one = widgets.Checkbox(value=value, description=label, indent=False, layout=wide)
        return one, one
    if not _is_range(spec):
        options = (
            [(str(k), v) for k, v in spec.items()]
            if isinstance(spec, Mapping)
            else [(str(option), option) for option in spec]
        )
        few = len(options) <= 4 and sum(len(text) for text, _ in options) <= 48
        if few:  # all in sight, and each can be pressed without the arrow keys
            one = widgets.ToggleButtons(
                options=options,
                value=value,
                description=label,
                style={**_WIDE, "button_width": "max-content"},
            )
        else:
            one = widgets.Dropdown(
                options=options, value=value, description=label, style=_WIDE, layout=wide
            )
        return one, one
    low, high, step = spec[:3]
    whole = all(isinstance(x, numbers.Integral) for x in (low, high, step, value))
    slide = (widgets.IntSlider if whole else widgets.FloatSlider)(
        value=value,
        min=low,
        max=high,
        step=step,
        readout=False,
        continuous_update=live,
        layout=widgets.Layout(width="22em", max_width="100%"),
        **({} if whole else {"readout_format": f".{_digits(step)}f"}),
    )
    box = (widgets.BoundedIntText if whole else widgets.BoundedFloatText)(
        value=value,
        min=low,
        max=high,
        step=step,
        description=label,
        style=_WIDE,
        layout=widgets.Layout(width="max-content"),
    )
    widgets.link((slide, "value"), (box, "value"))
    row = widgets.HBox(
        [box, slide], layout=widgets.Layout(flex_flow="row wrap", align_items="center")
    )
    return slide, row


def _digits(step: float) -> int:
    text = f"{step:.10f}".rstrip("0")
    return len(text.split(".")[1])


def what_if(
    function: Callable[..., Any],
    *,
    title: str = "",
    labels: Mapping[str, str] | None = None,
    live: bool = False,
    **controls: Any,
) -> WhatIf:
    """Turn a function that draws a figure into a figure with controls.

    Parameters
    ----------
    function : callable
        Takes the controls by name and returns a
        :class:`ethicalai_lab.plotting.Figure`. It must be pure: the same values, the
        same figure.
    title : str, default ""
        One line above the figure.
    labels : mapping of str to str, optional
        What each control is called on screen; by default its name.
    live : bool, default False
        Redraw while a slider is being dragged. Leave it off when a drawing takes
        longer than a tenth of a second: the figure then follows on release, and at
        each press of an arrow key.
    **controls : tuple, list, dict or bool
        For each argument of `function`: ``(low, high, step, start)`` for a slider, a
        list or a dictionary ``{label: value}`` for a dropdown, True or False for a
        checkbox. The first value shown is `start`, or the first option.

    Returns
    -------
    WhatIf
        Leave it on a cell's last line.

    Raises
    ------
    WidgetError
        If a control does not fit the function.

    Examples
    --------
    >>> from ethicalai_lab import plotting
    >>> def line(slope):
    ...     figure, axes = plotting.canvas()
    ...     _ = axes.plot([0, 1], [0, slope])
    ...     return plotting.Figure(figure, f"A line that rises by {slope}.")
    >>> what_if(line, slope=(1, 5, 1, 2), labels={"slope": "Slope"})
    (Slope: 2). A line that rises by 2.
    """
    if not controls:
        raise WidgetError("a what-if needs at least one control")
    accepted = inspect.signature(function).parameters
    loose = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    for name in controls:
        if name not in accepted and not loose:
            raise WidgetError(f"the function has no argument {name!r}")
    return WhatIf(function, controls, dict(labels or {}), title, live)
