"""The policy lab: a policy as controls, its whole bill beside them."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethicalai_lab.errors import InputError
from ethicalai_lab.policy import sections
from ethicalai_lab.widgets.base import WidgetError, view_of

if TYPE_CHECKING:
    from ethicalai_lab.policy import Comparison, Policy, PolicyLab, Preset
    from ethicalai_lab.policy.background import Judging, Search
    from ethicalai_lab.policy.session import Session
    from ethicalai_lab.world import World

__all__ = ["TITLES", "PolicyLabWidget", "policy_lab"]

#: What each section's tab is called, in the order of the lessons.
TITLES = {
    "personalization": "Whom and what",
    "data": "Data used",
    "pseudonymization": "Pseudonyms",
    "storage": "Storage",
    "anonymization": "Releases",
    "fairness.audit": "Bias audit",
    "fairness.mitigation": "Repair",
    "consent": "Consent",
    "explanations": "Explanations",
    "transparency": "Openness",
    "duty": "Duties",
    "log": "Log",
}
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
_OPEN = ""  # a choice of None would show as no choice at all
_CSS = r"""
.eal-lab{overflow-x:hidden}
.eal-lab .lm-TabBar-content{flex-wrap:wrap;border:0!important}
.eal-lab .lm-TabBar-tab{flex:0 0 auto!important;min-width:0!important;margin:0 2px 2px 0!important;
padding:0 .6em!important;border:1px solid var(--jp-border-color1,#999)!important}
.eal-lab .lm-TabBar-tab{color:var(--jp-ui-font-color0,inherit)!important}
.eal-lab .lm-TabBar-tab.lm-mod-current{font-weight:bold}
.eal-lab .lm-TabBar-tabLabel{overflow:visible!important}
.eal-lab .lm-TabBar,.eal-lab .jupyter-widget-tab>.lm-TabBar{min-height:0!important;height:auto!important}
.eal-lab .widget-html-content{line-height:1.35;width:100%}
.eal-lab .about{font-size:.8125rem;color:var(--jp-content-font-color1,inherit);max-width:60em}
.eal-lab .refused{font-weight:bold;border-left:4px solid #d55e00;padding:.2em .5em;margin:.2em 0}
.eal-lab .widget-toggle-button.mod-active{font-weight:bold;box-shadow:inset 0 0 0 2px #0072b2!important}
.eal-lab .widget-toggle-button.mod-active::before{content:"\2713\00a0"}
.eal-lab .noUi-handle{border:2px solid #0072b2!important}
.eal-lab :focus-visible{outline:2px solid #0072b2;outline-offset:1px}
"""


def policy_lab(
    world: World | None = None,
    policy: Policy | None = None,
    *,
    lab: PolicyLab | None = None,
    path: str | Path | None = None,
) -> PolicyLabWidget:
    """Open a policy as controls, with its scorecard beside them.

    Parameters
    ----------
    world : World, optional
        Where it is measured; ``make_world()`` unless told.
    policy : Policy, optional
        Where to begin; the file at `path` where there is one, unless told.
    lab : PolicyLab, optional
        In place of `world`, to keep what it already knows.
    path : path-like, optional
        The policy file; ``my_policy.yaml`` unless told.

    Returns
    -------
    PolicyLabWidget
        Leave it on a cell's last line.

    Raises
    ------
    WidgetError
        If world and lab do not belong together.
    PolicyError
        If the policy given cannot be used.

    Examples
    --------
    >>> from ethicalai_lab import make_world
    >>> from ethicalai_lab.policy import Policy, PolicyLab
    >>> here = policy_lab(lab=PolicyLab(make_world(500, seed=1), n_boot=50), policy=Policy())
    >>> _ = here.set("consent.banner", "neutral")
    >>> here.session.policy.consent.banner
    'neutral'
    """
    from ethicalai_lab.policy import Policy, PolicyError, PolicyLab
    from ethicalai_lab.policy.background import one_sentence
    from ethicalai_lab.policy.session import Session

    if lab is not None and world is not None and lab.world is not world:
        raise WidgetError("lab has another world; give either world or lab.")
    if lab is None:
        if world is None:
            from ethicalai_lab.world import make_world

            world = make_world()
        lab = PolicyLab(world)
    problem = ""
    try:
        session = Session(lab, policy, path=path)
    except PolicyError as error:
        if policy is not None:
            raise
        # the file is at fault: the page opens all the same and says so, and leaves it alone
        problem = one_sentence(error)
        session = Session(lab, Policy(), path=path)
    return PolicyLabWidget(session, problem)


class PolicyLabWidget:
    """A policy as controls, its scorecard beside them; made by :func:`policy_lab`.

    Attributes
    ----------
    session : Session
        The policy at work: all that the page shows and does.
    fields : dict of str to _Field
        The controls of each field of the policy.
    """

    def __init__(self, session: Session, problem: str = "") -> None:
        self.session = session
        self._problem = problem
        self._view: Any = None
        self.fields: dict[str, _Field] = {}
        self._quiet = False
        self._shared: dict[Any, Any] = {}

    # -- what a reader does -----------------------------------------------------

    def set(self, path: str, value: Any) -> str:
        """Decide a field as its control does; return the refusal, empty where there is none."""
        if path not in sections.FIELDS:
            raise WidgetError(f"there is no field {path!r} in a policy")
        refusal = self.act(lambda: self.session.decide(path, value))
        if self._view is not None and path in self.fields:
            self.fields[path].say(refusal)
        return refusal

    def act(self, do: Callable[[], None]) -> str:
        """Do something that may be refused, then show what came of it; return the refusal."""
        from ethicalai_lab.policy.background import one_sentence

        refusal = ""
        with self.session.turn:  # refits that are done by now wait until this is shown
            try:
                do()
            except (InputError, OSError) as error:
                refusal = one_sentence(error)
            self._shown()
        return refusal

    # -- building ---------------------------------------------------------------

    def widget(self) -> Any:
        """Return the live form; it is built once."""
        if self._view is None:
            self._build()
        return self._view

    def layout(self, **values: str) -> Any:
        """Return a layout; equal ones are one, since a page of few models opens sooner."""
        import ipywidgets as w

        key = tuple(sorted(values.items()))
        if key not in self._shared:
            self._shared[key] = w.Layout(**values)
        return self._shared[key]

    def style(self, kind: str) -> Any:
        """Return the one style that all widgets of a kind share."""
        import ipywidgets as w

        if kind not in self._shared:
            made = getattr(w, kind).style.klass()
            if made.has_trait("description_width") and kind != "HTML":
                made.description_width = "initial"
            self._shared[kind] = made
        return self._shared[kind]

    def _build(self) -> None:
        import ipywidgets as w

        lay = self.layout

        wide = lay(width="auto", min_width="0")
        pages = []
        for path, model in sections.SECTIONS.items():
            rows = [w.HTML(f"<p>{html.escape((model.__doc__ or '').splitlines()[0])}</p>")]
            for name in model.model_fields:
                field = f"{path}.{name}"
                self.fields[field] = _Field(field, self)
                rows.append(self.fields[field].view)
            pages.append(w.VBox(rows, layout=wide))
        self.tabs = w.Tab(pages, titles=[TITLES[path] for path in sections.SECTIONS], layout=wide)
        self.status = w.HTML(layout=wide)
        self.card = w.HTML(layout=wide)
        self._buttons()
        left = w.VBox([self.tabs], layout=lay(flex="1 1 26em", min_width="0"))
        right = w.VBox([self.card], layout=lay(flex="1 1 34em", min_width="0"))
        both = w.HBox(
            [left, right],
            layout=lay(flex_flow="row wrap", width="100%", align_items="stretch"),
        )
        self._view = w.VBox(
            [
                w.HTML(f"<style>{_CSS}</style>"),
                self.bar,
                self.status,
                both,
                self.tools,
            ],
            layout=lay(width="auto", min_width="0"),
        )
        self._view.add_class("eal-lab")
        self._shown()

    def _buttons(self) -> None:
        import ipywidgets as w

        lay = self.layout

        from ethicalai_lab.policy import PRESETS

        def button(text: str, tip: str, do: Callable[[], None], icon: str = "") -> Any:
            made = w.Button(
                description=text, tooltip=tip, icon=icon, layout=lay(width="max-content")
            )
            made.on_click(lambda _: do())
            return made

        def row(*parts: Any) -> Any:
            return w.HBox(list(parts), layout=lay(flex_flow="row wrap", align_items="center"))

        def text(label: str, value: str) -> Any:
            return w.Text(
                value=value,
                description=label,
                style={"description_width": "initial"},
                layout=lay(width="26em", max_width="100%"),
            )

        session = self.session
        self.undo = button("Undo", "Take the last change back", lambda: self.act(session.undo))
        self.redo = button("Redo", "Make it again", lambda: self.act(session.redo))
        self.reset = button(
            "Reset", "Back to where this session began", lambda: self.act(session.reset)
        )
        self.presets = {
            name: button(
                name.replace("_", " "), f"Preset: {each.about}", lambda each=each: self._take(each)
            )
            for name, each in PRESETS.items()
        }
        self.pin = button("Pin as A", "Compare later policies with this one", self._pin)
        self.unpin = button("Unpin A", "Stop comparing", self._unpin)
        self.judge = button(
            "Judge with refits", "Learn and choose anew, to count that chance, too", self._judge
        )
        self.no_judge = button("Stop refits", "End the refits", self._halt_refits)
        self.refits = w.IntProgress(
            value=0,
            max=1,
            description="Refits",
            style={"description_width": "initial"},
            layout=lay(width="16em", max_width="100%"),
        )
        self.judge_said = w.HTML(layout=lay(flex="1 1 20em", min_width="0"))
        self.judging = row(self.judge, self.judge_said)
        self._judging: Judging | None = None
        self.bar = w.VBox(
            [
                row(self.undo, self.redo, self.reset, self.pin, self.unpin),
                row(w.HTML("Presets, to measure from:"), *self.presets.values()),
                self.judging,
            ],
            layout=lay(width="auto", min_width="0"),
        )

        folder = session.path.parent
        self.file = text("Policy file", str(session.path))
        self.load = button("Load", "Take the policy of this file", self._load)
        self.save = button("Save", "Write the policy to this file", self._save)
        self.rules_file = text("Rules file", str(folder / "rules.yaml"))
        self.rules = button("Hold to rules", "Load bounds and who set them", self._rules)
        self.no_rules = button("Drop rules", "Hold the card to nothing", self._no_rules)
        self.card_file = text("One-page card", str(folder / "policy_card.html"))
        self.to_card = button("Export card", "Write the scorecard as a web page", self._to_card)
        self.notebook_file = text("Notebook", str(folder / "policy_scorecard.ipynb"))
        self.to_notebook = button(
            "Export notebook", "Write a notebook that makes this card again", self._to_notebook
        )
        self.file_said = w.HTML()
        files = w.VBox(
            [
                w.HTML("<h3>Files</h3>"),
                row(self.file, self.load, self.save),
                row(self.rules_file, self.rules, self.no_rules),
                row(self.card_file, self.to_card),
                row(self.notebook_file, self.to_notebook),
                self.file_said,
            ],
            layout=lay(flex="1 1 30em", min_width="0"),
        )

        self.measures = {
            f"{m.dimension}: {m.measure.replace('_', ' ')}": m.key
            for m in session.card.measures
            if m.direction != "none"
        }
        self.measure = w.Combobox(
            options=list(self.measures),
            description="Improve",
            placeholder="type or choose a measure",
            ensure_option=False,
            style={"description_width": "initial"},
            layout=lay(width="26em", max_width="100%"),
        )
        self.changes = w.ToggleButtons(
            options=[("one change", 1), ("up to two", 2)],
            style={"button_width": "max-content"},
        )
        self.find = button("Search", "Try the policies nearby", self._find)
        self.halt = button("Stop", "End the search", self._halt)
        self.halt.disabled = True
        self.progress = w.IntProgress(
            value=0, max=1, description="Tried", layout=lay(width="22em", max_width="100%")
        )
        self.progress_said = w.HTML()
        self.results = w.VBox([])
        search = w.VBox(
            [
                w.HTML("<h3>A better policy nearby</h3>"),
                row(self.measure, self.changes, self.find, self.halt),
                row(self.progress, self.progress_said),
                self.results,
            ],
            layout=lay(flex="1 1 30em", min_width="0"),
        )
        self.tools = w.HBox([search, files], layout=lay(flex_flow="row wrap", width="100%"))
        self._search: Search | None = None
        if self._problem:
            self.file_said.value = _told(self._problem, refused=True)

    # -- showing ----------------------------------------------------------------

    def _shown(self) -> None:
        """Bring every control, the card and the summary in line with the policy."""
        if self._view is None:
            return
        self._quiet = True
        try:
            for field in self.fields.values():
                field.show(self.session.policy[field.path])
        finally:
            self._quiet = False
        self.undo.disabled = not self.session.can_undo
        self.redo.disabled = not self.session.can_redo
        self.unpin.disabled = self.session.pinned is None
        self.no_rules.disabled = self.session.rules is None
        self._show_card()

    def _show_card(self) -> None:
        """Show the card, what is said of it and of its refits; the controls stay as they are."""
        from ethicalai_lab.policy.session import card_html

        self.card.value = card_html(self.session)
        comparison = self.session.comparison()
        self.status.value = self._summary(comparison)
        if self._judging is None or not self._judging.running:
            self._offer_refits(comparison)

    def _summary(self, comparison: Comparison | None) -> str:
        from ethicalai_lab.policy.session import UNCLEAR

        session = self.session
        better = [m for m in session.moved if m.reading == "better"]
        worse = [m for m in session.moved if m.reading == "worse"]
        unclear = [m for m in session.moved if m.reading == "needs refits"]
        rest = len(session.moved) - len(better) - len(worse) - len(unclear)
        waiting = f"{len(unclear)} {UNCLEAR}, " if unclear else ""
        counts = (
            f"{len(session.moved)} measure{'s' if len(session.moved) > 1 else ''} moved: "
            f"{len(better)} better, {len(worse)} worse, {waiting}"
            f"{rest} neither."
            if session.moved
            else "No measure moved."
        )
        known = len(session.lab.graph.stages) - len(session.computed)
        stages = ", ".join(session.computed).replace("_", " ") or "none"
        pinned = ""
        if comparison is not None:
            said = comparison.summary.replace("needs refits", UNCLEAR)
            pinned = f"<br>{html.escape(said)}"
        return (
            f'<div role="status" aria-live="polite"><strong>{html.escape(session.said)}</strong> '
            f"{counts}{pinned}</div>"
            f'<div class="about">Stages computed: {html.escape(stages)}; {known} already known. '
            f"{session.seconds * 1000:.0f} ms.</div>"
        )

    # -- the buttons ------------------------------------------------------------

    def _take(self, chosen: Preset) -> None:
        what = f"Preset {chosen.name.replace('_', ' ')}: {chosen.about}"
        self.act(lambda: self.session.use(chosen.policy(), what))

    def _pin(self) -> None:
        self.act(self.session.pin)

    def _unpin(self) -> None:
        self.act(self.session.unpin)

    def _file(self, do: Callable[[], None], done: str) -> None:
        refusal = self.act(do)
        self.file_said.value = _told(refusal or done, refused=bool(refusal))

    def _load(self) -> None:
        name = self.file.value
        self._file(lambda: self.session.load(name), f"Loaded {name}.")

    def _save(self) -> None:
        name = self.file.value
        # a second press after a refusal writes; the session checks what it was about
        self._file(lambda: self.session.save(name, overwrite=True), f"Saved {name}.")

    def _rules(self) -> None:
        name = self.rules_file.value
        self._file(lambda: self.session.load_rules(name), f"The card is held to {name}.")

    def _no_rules(self) -> None:
        self._file(self.session.drop_rules, "The card is held to no rules.")

    def _to_card(self) -> None:
        name = self.card_file.value
        self._file(lambda: self.session.export_card(name, overwrite=True), f"Wrote {name}.")

    def _to_notebook(self) -> None:
        name = self.notebook_file.value
        self._file(lambda: self.session.export_notebook(name, overwrite=True), f"Wrote {name}.")

    def _judge(self) -> None:
        if self._judging is not None and self._judging.running:
            return
        self._judging = self.session.judge()
        self.judging.children = (self.judge, self.no_judge, self.refits, self.judge_said)
        self._judging.watch(self._refitted)
        self._refitted(self._judging)
        self._judging.start()

    def _halt_refits(self) -> None:
        if self._judging is not None:
            self._judging.stop()

    def _refitted(self, judging: Judging) -> None:
        """Show how far the refits are, and the card with them at the end."""
        if judging.running:
            self.judge.disabled = True
            self.refits.max, self.refits.value = judging.of, judging.done
            left = judging.seconds * (judging.of - judging.done)
            about = f", about {left:.0f} s left" if judging.done else ""
            self.judge_said.value = _told(f"{judging.done} of {judging.of} refits{about}.")
            return
        with self.session.turn:
            self._show_card()

    def _offer_refits(self, comparison: Comparison | None) -> None:
        """Say what refits are for and cost, or that they are in."""
        from ethicalai_lab.policy.background import REFITS

        ended, lacking = self._judging, len(self.session.unjudged)
        self.judge.disabled = not lacking
        self.judging.children = (self.judge, self.judge_said)
        if not lacking:
            self.judge_said.value = _told(f"The card and its verdicts count {REFITS} refits.")
            return
        unclear = {move.key for move in self.session.moved if move.reading == "needs refits"}
        if comparison is not None:
            rows = comparison.table[comparison.table["reading"] == "needs refits"]
            unclear |= set(rows["dimension"] + "." + rows["measure"])
        many = f"{len(unclear)} verdicts wait" if len(unclear) != 1 else "1 verdict waits"
        why = f"{many} for this: all" if unclear else "Verdicts then count chance in learning: all"
        seconds = ended.seconds * REFITS * lacking if ended is not None else 0
        cost = f"about {seconds:.0f} s" if seconds else "some seconds"
        also = f"{ended.problem} " if ended is not None and ended.problem else ""
        self.judge_said.value = _told(
            f"{also}{why} is learned and chosen anew on {REFITS} random halves of the people. "
            f"{lacking * REFITS} refits, {cost}."
        )

    def _find(self) -> None:
        import ipywidgets as w

        if self._search is not None and self._search.running:
            return
        key, problem = self._meant(self.measure.value)
        if problem:
            self.results.children = (w.HTML(_told(problem, refused=True)),)
            return
        self.find.disabled, self.halt.disabled = True, False
        self.results.children = ()
        self._search = self.session.search(key, changes=self.changes.value)
        self._search.watch(self._progressed).start()

    def _meant(self, text: str) -> tuple[str, str]:
        """Return the key of the measure that a text means, or what is the matter with it."""
        text = " ".join(text.split()).casefold()
        exact = self.measures.get(text)
        found = [exact] if exact else [key for name, key in self.measures.items() if text in name]
        if not text:
            return "", "Name the measure that is to be improved, such as privacy: columns in use."
        if len(found) == 1:
            return found[0], ""
        if found:
            names = [name for name in self.measures if text in name]
            return "", f'Several measures hold "{text}": {"; ".join(names[:6])}. Name one of them.'
        return text, ""  # the search says which names are near

    def _halt(self) -> None:
        if self._search is not None:
            self._search.stop()

    def _progressed(self, search: Search) -> None:
        self.progress.max = search.of
        self.progress.value = search.done
        self.progress_said.value = (
            f"{search.found.tried} policies tried"
            if search.found is not None
            else f"{search.done} of at most {search.of} policies"
        )
        if not search.running:
            self.find.disabled, self.halt.disabled = False, True
            self._found(search)

    def _found(self, search: Search) -> None:
        import ipywidgets as w

        lay = self.layout

        if search.found is None:
            self.results.children = (w.HTML(_told(search.problem, refused=True)),)
            return
        found = search.found
        name = found.improve.replace(".", ": ").replace("_", " ")
        if not len(found):
            said = f"None of the {found.tried} policies tried improves {name}."
            if self._search is not None and self._search.changes == 1:
                said += " Some decisions work only together: search with up to two changes."
            self.results.children = (w.HTML(_told(said)),)
            return
        rows: list[Any] = [
            w.HTML(_told(f"{found.tried} policies tried; these improve {name}, least cost first."))
        ]
        for policy, line in zip(found.policies, found.table.to_dict("records"), strict=True):
            what = f"{line['changes']}"
            button = w.Button(
                description="Apply",
                tooltip=f"Apply {what}",
                layout=lay(width="max-content", flex="0 0 auto"),
            )
            button.on_click(
                lambda _, policy=policy, what=what: self.act(
                    lambda: self.session.use(policy, f"Applied {what}.")
                )
            )
            interval = (
                f" ({line['low']:+.3g} to {line['high']:+.3g})"
                if line["low"] == line["low"]
                else ""
            )
            text = (
                f'<div class="about"><strong>{html.escape(what)}</strong><br>'
                f"{line['before']:.3g} becomes {line['after']:.3g}, difference "
                f"{line['difference']:+.3g}{interval}. Gets worse: "
                f"{html.escape(line['worse'].replace('.', ': ').replace('_', ' '))}.</div>"
            )
            rows.append(w.HBox([button, w.HTML(text)], layout=lay(align_items="center")))
        self.results.children = tuple(rows)

    # -- forms ------------------------------------------------------------------

    def _static(self) -> Any:
        from ethicalai_lab.plotting import scorecard

        return scorecard(self.session.card.table, title="Scorecard of the policy")

    def __repr__(self) -> str:
        return f"Policy lab. {self.session.card!r}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        figure = self._static()
        return {
            "text/plain": repr(self),
            "text/html": (
                "<p><strong>Policy lab.</strong> The scorecard of the policy as it stands. With "
                f"a running kernel this is a widget.</p>{figure._repr_html_()}"
            ),
            **view_of(self.widget()),
        }


def _told(text: str, *, refused: bool = False) -> str:
    kind = ' class="refused" role="alert"' if refused else ' role="status" aria-live="polite"'
    return f"<div{kind}>{html.escape(text)}</div>"


# ------------------------------------------------------------------------ one field


def _label(path: str) -> str:
    name = path.rpartition(".")[2].replace("_", " ")
    return _NAMES.get(path, name[0].upper() + name[1:])


def _assumed(path: str) -> str:
    value = sections.assumed(path)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "none of them"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


class _Field:
    """The controls of one field, and the place where its refusals are said."""

    def __init__(self, path: str, owner: PolicyLabWidget) -> None:
        import ipywidgets as w

        lay = owner.layout
        self.path, self._owner = path, owner
        self.label = _label(path)
        self.message = w.HTML(layout=lay(width="auto", min_width="0"), style=owner.style("HTML"))
        self._refusal = ""
        kind = sections.kind(path)
        if sections.is_list(path):
            self.control: _Control = _Names(self)
        elif sections.choices(path):
            self.control = _Choice(self, [(word, word) for word in sections.choices(path)])
        elif kind is bool:
            self.control = _Choice(self, [("yes", True), ("no", False)])
        elif kind is str:
            self.control = _Reason(self)
        else:
            self.control = _Number(self, whole=kind is int)
        self.view = w.VBox(
            [self.control.view, self.message],
            layout=lay(width="auto", min_width="0", margin="0 0 8px 0"),
        )
        self.say("")

    @property
    def tip(self) -> str:
        unit = sections.unit(self.path)
        return (
            f"{sections.meaning(self.path)} Accepted: {sections.accepted(self.path)}"
            f"{f', {unit}' if unit else ''}."
        )

    def changed(self, value: Any) -> None:
        """Hand a control's new value on, unless the page itself is setting it."""
        if not self._owner._quiet and value != self._owner.session.policy[self.path]:
            self._owner.set(self.path, value)

    def show(self, value: Any) -> None:
        """Set the controls to a value of the policy."""
        self.control.show(value)
        if self._refusal:
            self.say("")

    def say(self, refusal: str) -> None:
        """Say the meaning of the field and, above it, why a value was refused."""
        self._refusal = refusal
        about = html.escape(sections.meaning(self.path))
        unit = sections.unit(self.path)
        if not self.path.endswith(".reason"):
            number = not sections.choices(self.path) and unit
            if number:
                about += f" {html.escape(sections.accepted(self.path).capitalize())}, {unit}."
            assumed = _assumed(self.path)
            if assumed and number and "hile undecided" not in about:
                about += f" While undecided: {html.escape(assumed)}."
            elif number and not assumed:
                about += " Undecided means none; the box shows where a decision would begin."
        alert = f'<div class="refused" role="alert">{html.escape(refusal)}</div>' if refusal else ""
        self.message.value = f'{alert}<div class="about">{about}</div>'


class _Control:
    """What holds one field's value."""

    view: Any

    def show(self, value: Any) -> None:
        raise TypeError(f"{type(self).__name__} shows nothing")


def _undecided_box(field: _Field, decide: Callable[[bool], None]) -> Any:
    import ipywidgets as w

    lay = field._owner.layout
    box = w.Checkbox(
        value=True,
        description=_UNDECIDED,
        indent=False,
        style=field._owner.style("Checkbox"),
        tooltip=f"Leave {field.label} undecided",
        layout=lay(width="max-content", margin="0 0 0 12px"),
    )
    box.observe(lambda change: decide(change["new"]), names="value")
    return box


class _Choice(_Control):
    """Words, or yes and no; undecided is one more.

    Buttons, however many: JupyterLab takes the arrow keys and letters that a drop-down
    list would need.
    """

    def __init__(self, field: _Field, options: list[tuple[str, Any]]) -> None:
        import ipywidgets as w

        assumed = _assumed(field.path).replace("_", " ")
        open_ = f"{_UNDECIDED}, so {assumed}" if assumed else _UNDECIDED
        every = [*((text.replace("_", " "), value) for text, value in options), (open_, _OPEN)]
        self.choice = w.ToggleButtons(
            options=every,
            value=_OPEN,
            description=field.label,
            tooltips=[f"{field.label}: {text}" for text, _ in every],
            style={"description_width": "initial", "button_width": "max-content"},
        )
        self.choice.observe(
            lambda change: field.changed(None if change["new"] == _OPEN else change["new"]),
            names="value",
        )
        self.view = self.choice

    def show(self, value: Any) -> None:
        self.choice.value = _OPEN if value is None else value


class _Reason(_Control):
    """Why a section was decided so."""

    def __init__(self, field: _Field) -> None:
        import ipywidgets as w

        lay = field._owner.layout
        self.text = w.Text(
            description=field.label,
            tooltip=field.tip,
            continuous_update=False,
            style={"description_width": "initial"},
            layout=lay(width="auto"),
        )
        self.text.observe(lambda change: field.changed(change["new"] or None), names="value")
        self.view = self.text

    def show(self, value: Any) -> None:
        self.text.value = value or ""


class _Number(_Control):
    """A number: a box for typing, a slider that stops where it matters, and undecided."""

    def __init__(self, field: _Field, *, whole: bool) -> None:
        import ipywidgets as w

        lay = field._owner.layout
        from ethicalai_lab.policy.offers import stops

        self._field = field
        self._stops = stops(field.path)
        low, high, excluded = sections.limits(field.path)
        assumed = sections.assumed(field.path)
        self._start = assumed if assumed is not None else self._stops[len(self._stops) // 2]
        box = w.BoundedIntText if whole else w.BoundedFloatText
        self.box = box(
            value=self._start,
            min=1e-6 if excluded else low,
            max=high,
            step=1 if whole else 0.01,
            description=field.label,
            tooltip=field.tip,
            style={"description_width": "initial"},
            layout=lay(width="max-content", max_width="100%"),
        )
        self.slider = w.IntSlider(
            value=self._near(self._start),
            min=0,
            max=len(self._stops) - 1,
            readout=False,
            continuous_update=True,
            tooltip=f"{field.label}, in steps",
            layout=lay(width="12em", max_width="100%"),
        )
        self.open = _undecided_box(field, self._opened)
        self.box.observe(lambda change: field.changed(change["new"]), names="value")
        self.slider.observe(lambda change: field.changed(self._stops[change["new"]]), names="value")
        self.view = w.HBox(
            [self.box, self.slider, self.open],
            layout=lay(flex_flow="row wrap", align_items="center"),
        )

    def _near(self, value: float) -> int:
        return min(range(len(self._stops)), key=lambda i: abs(self._stops[i] - value))

    def _opened(self, undecided: bool) -> None:
        self._field.changed(None if undecided else self.box.value)

    def show(self, value: Any) -> None:
        number = self._start if value is None else value
        self.box.value = number
        self.slider.value = self._near(number)
        self.open.value = value is None


class _Names(_Control):
    """A list of names: a box to tick for each, and undecided."""

    def __init__(self, field: _Field) -> None:
        import ipywidgets as w

        lay = field._owner.layout
        from ethicalai_lab.policy.offers import list_assumed, list_options

        self._field = field
        lab = field._owner.session.lab
        self._usual = list_assumed(field.path, lab)
        self.open = _undecided_box(field, self._opened)
        self.ticks: dict[str, Any] = {}
        self._grid = w.HBox(layout=lay(flex_flow="row wrap", width="100%", margin="0 0 0 12px"))
        for name in list_options(field.path, lab):
            self._add(name)
        head = w.HTML(
            f"{html.escape(field.label)}:", layout=lay(), style=field._owner.style("HTML")
        )
        self.view = w.VBox(
            [
                w.HBox([head, self.open], layout=lay(align_items="center")),
                self._grid,
            ]
        )

    def _add(self, name: str) -> None:
        import ipywidgets as w

        lay = self._field._owner.layout
        tick = w.Checkbox(
            value=False,
            description=name.replace("_", " "),
            indent=False,
            style=self._field._owner.style("Checkbox"),
            tooltip=f"{self._field.label}: {name}",
            layout=lay(width="max-content", margin="0 12px 0 0"),
        )
        tick.observe(lambda _: self._ticked(), names="value")
        self.ticks[name] = tick
        self._grid.children = tuple(self.ticks.values())

    def _ticked(self) -> None:
        # in the order of the policy, then of the page: an unchanged list stays unchanged
        now = self._field._owner.session.policy[self._field.path] or ()
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
