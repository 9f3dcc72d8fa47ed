"""The policy lab: a policy as controls, its whole bill beside them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethicalai_lab.core.report import render
from ethicalai_lab.errors import InputError
from ethicalai_lab.policy import sections
from ethicalai_lab.widgets.base import WidgetError, view_of

if TYPE_CHECKING:
    from ethicalai_lab.policy import Comparison, Policy, PolicyLab, Preset
    from ethicalai_lab.policy.background import Judging, Search
    from ethicalai_lab.policy.session import Session
    from ethicalai_lab.widgets.policy_fields import Field
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
        from ethicalai_lab.world import make_world

        lab = PolicyLab(make_world() if world is None else world)
    try:
        return PolicyLabWidget(Session(lab, policy, path=path))
    except PolicyError as error:
        if policy is not None:
            raise
        # the file is at fault: the page opens all the same and says so, and leaves it alone
        return PolicyLabWidget(Session(lab, Policy(), path=path), one_sentence(error))


class PolicyLabWidget:
    """A policy as controls, its scorecard beside them; made by :func:`policy_lab`.

    Attributes
    ----------
    session : Session
        The policy at work: all that the page shows and does.
    fields : dict of str to Field
        The controls of each field of the policy.
    """

    def __init__(self, session: Session, problem: str = "") -> None:
        from ethicalai_lab.widgets.policy_fields import Kit

        self.session, self.kit = session, Kit()
        self._problem = problem
        self._view: Any = None
        self.fields: dict[str, Field] = {}
        #: Whether the page itself is setting its controls.
        self.quiet = False
        self._judging: Judging | None = None
        self._search: Search | None = None

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

    def _build(self) -> None:
        import ipywidgets as w

        kit = self.kit
        wide = kit.layout(width="auto", min_width="0")
        pages = [self._tab(path) for path in sections.SECTIONS]
        self.tabs = w.Tab(pages, titles=[TITLES[path] for path in sections.SECTIONS], layout=wide)
        self.status = kit.html(width="auto", min_width="0")
        self.card = kit.html(width="auto", min_width="0")
        left = kit.column(self.tabs, flex="1 1 26em", min_width="0")
        right = kit.column(self.card, flex="1 1 34em", min_width="0")
        layout = kit.layout(flex_flow="row wrap", width="100%", align_items="stretch")
        both = w.HBox([left, right], layout=layout)
        bar = kit.column(self._steps(), self._presets(), self._refits())
        tools = w.HBox(
            [self._searching(), self._files()],
            layout=kit.layout(flex_flow="row wrap", width="100%"),
        )
        css = render("widgets/templates/policy_lab.css")
        style = kit.html(f"<style>{css}</style>")
        self._view = kit.column(style, bar, self.status, both, tools)
        self._view.add_class("eal-lab")
        self._shown()

    def _tab(self, path: str) -> Any:
        from ethicalai_lab.widgets.policy_fields import Field

        fields = [f"{path}.{name}" for name in sections.SECTIONS[path].model_fields]
        self.fields |= {field: Field(field, self) for field in fields}
        views = [self.fields[field].view for field in fields]
        return self.kit.column(self.kit.html(f"<p>{sections.title(path)}</p>"), *views)

    def _does(self, text: str, tip: str, do: Callable[[], None]) -> Any:
        return self.kit.button(text, tip, lambda: self.act(do))

    def _steps(self) -> Any:
        here = self.session
        self.undo = self._does("Undo", "Take the last change back", here.undo)
        self.redo = self._does("Redo", "Make it again", here.redo)
        self.reset = self._does("Reset", "Back to where this session began", here.reset)
        self.pin = self._does("Pin as A", "Compare later policies with this one", here.pin)
        self.unpin = self._does("Unpin A", "Stop comparing", here.unpin)
        return self.kit.row(self.undo, self.redo, self.reset, self.pin, self.unpin)

    def _presets(self) -> Any:
        from ethicalai_lab.policy import PRESETS

        self.presets = {
            name: self._does(
                name.replace("_", " "), f"Preset: {each.about}", functools.partial(self._take, each)
            )
            for name, each in PRESETS.items()
        }
        told = self.kit.html("Presets, to measure from:")
        return self.kit.row(told, *self.presets.values())

    def _refits(self) -> Any:
        tip = "Learn and choose anew, to count that chance, too"
        self.judge = self.kit.button("Judge with refits", tip, self._judge)
        self.no_judge = self.kit.button("Stop refits", "End the refits", self._halt_refits)
        self.refits = self.kit.progress("Refits", "16em")
        self.judge_said = self.kit.html(flex="1 1 20em", min_width="0")
        self.judging = self.kit.row(self.judge, self.judge_said)
        return self.judging

    def _files(self) -> Any:
        here, kit, row = self.session, self.kit, self.kit.row
        folder = here.path.parent
        self.file = kit.text("Policy file", str(here.path))
        self.rules_file = kit.text("Rules file", str(folder / "rules.yaml"))
        self.card_file = kit.text("One-page card", str(folder / "policy_card.html"))
        self.notebook_file = kit.text("Notebook", str(folder / "policy_scorecard.ipynb"))

        def does(text: str, tip: str, box: Any, do: Callable[[str], None], done: str) -> Any:
            return kit.button(text, tip, lambda: self._filed(do, box.value, done))

        # a second press after a refusal writes; the session checks what it was about
        writes = functools.partial(functools.partial, overwrite=True)
        self.load = does("Load", "Take the policy of this file", self.file, here.load, "Loaded {}.")
        tip = "Write the policy to this file"
        self.save = does("Save", tip, self.file, writes(here.save), "Saved {}.")
        tip, done = "Load bounds and who set them", "The card is held to {}."
        self.rules = does("Hold to rules", tip, self.rules_file, here.load_rules, done)
        tip, done = "Hold the card to nothing", "The card is held to no rules."
        self.no_rules = does("Drop rules", tip, self.rules_file, lambda _: here.drop_rules(), done)
        tip, do = "Write the scorecard as a web page", writes(here.export_card)
        self.to_card = does("Export card", tip, self.card_file, do, "Wrote {}.")
        tip, do = "Write a notebook that makes this card again", writes(here.export_notebook)
        self.to_notebook = does("Export notebook", tip, self.notebook_file, do, "Wrote {}.")
        self.file_said = kit.html(_told(self._problem, refused=True) if self._problem else "")
        return kit.column(
            kit.html("<h3>Files</h3>"),
            row(self.file, self.load, self.save),
            row(self.rules_file, self.rules, self.no_rules),
            row(self.card_file, self.to_card),
            row(self.notebook_file, self.to_notebook),
            self.file_said,
            flex="1 1 30em",
            min_width="0",
        )

    def _searching(self) -> Any:
        import ipywidgets as w

        kit = self.kit
        self.measures = {
            f"{m.dimension}: {m.measure.replace('_', ' ')}": m.key
            for m in self.session.card.measures
            if m.direction != "none"
        }
        self.measure = w.Combobox(
            options=list(self.measures),
            description="Improve",
            placeholder="type or choose a measure",
            ensure_option=False,
            style={"description_width": "initial"},
            layout=kit.layout(width="26em", max_width="100%"),
        )
        self.changes = w.ToggleButtons(
            options=[("one change", 1), ("up to two", 2)], style={"button_width": "max-content"}
        )
        self.find = kit.button("Search", "Try the policies nearby", self._find)
        self.halt = kit.button("Stop", "End the search", self._halt)
        self.halt.disabled = True
        self.progress, self.progress_said = kit.progress("Tried", "22em"), kit.html()
        self.results = kit.column()
        return kit.column(
            kit.html("<h3>A better policy nearby</h3>"),
            kit.row(self.measure, self.changes, self.find, self.halt),
            kit.row(self.progress, self.progress_said),
            self.results,
            flex="1 1 30em",
            min_width="0",
        )

    # -- showing ----------------------------------------------------------------

    def _shown(self) -> None:
        """Bring every control, the card and the summary in line with the policy."""
        if self._view is None:
            return
        self.quiet = True
        try:
            for field in self.fields.values():
                field.show(self.session.policy[field.path])
        finally:
            self.quiet = False
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

        readings = [move.reading for move in self.session.moved]
        counts = {word: readings.count(word) for word in ("better", "worse", "needs refits")}
        return render(
            "widgets/templates/status.html",
            session=self.session,
            n_moved=len(readings),
            counts=counts,
            rest=len(readings) - sum(counts.values()),
            unclear=UNCLEAR,
            compared=""
            if comparison is None
            else comparison.summary.replace("needs refits", UNCLEAR),
        )

    # -- the buttons ------------------------------------------------------------

    def _take(self, chosen: Preset) -> None:
        what = f"Preset {chosen.name.replace('_', ' ')}: {chosen.about}"
        self.session.use(chosen.policy(), what)

    def _filed(self, do: Callable[[str], None], name: str, done: str) -> None:
        refusal = self.act(lambda: do(name))
        self.file_said.value = _told(refusal or done.format(name), refused=bool(refusal))

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
        n = len(self._unclear(comparison))
        many = f"{n} verdicts wait" if n != 1 else "1 verdict waits"
        why = f"{many} for this: all" if n else "Verdicts then count chance in learning: all"
        seconds = ended.seconds * REFITS * lacking if ended is not None else 0
        cost = f"about {seconds:.0f} s" if seconds else "some seconds"
        also = f"{ended.problem} " if ended is not None and ended.problem else ""
        self.judge_said.value = _told(
            f"{also}{why} is learned and chosen anew on {REFITS} random halves of the people. "
            f"{lacking * REFITS} refits, {cost}."
        )

    def _unclear(self, comparison: Comparison | None) -> set[str]:
        found = {move.key for move in self.session.moved if move.reading == "needs refits"}
        if comparison is not None:
            rows = comparison.table[comparison.table["reading"] == "needs refits"]
            found |= set(rows["dimension"] + "." + rows["measure"])
        return found

    def _find(self) -> None:
        if self._search is not None and self._search.running:
            return
        key, problem = self._meant(self.measure.value)
        if problem:
            self._say_found(problem, refused=True)
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
        found = search.found
        if found is None:
            self._say_found(search.problem, refused=True)
            return
        name = found.improve.replace(".", ": ").replace("_", " ")
        if len(found):
            lines = found.table.to_dict("records")
            rows = map(self._offer, found.policies, lines)
            tried = f"{found.tried} policies tried; these improve {name}, least cost first."
            self._say_found(tried, *rows)
            return
        said = f"None of the {found.tried} policies tried improves {name}."
        if search.changes == 1:
            said += " Some decisions work only together: search with up to two changes."
        self._say_found(said)

    def _say_found(self, said: str, *rows: Any, refused: bool = False) -> None:
        self.results.children = (self.kit.html(_told(said, refused=refused)), *rows)

    def _offer(self, policy: Policy, line: dict[str, Any]) -> Any:
        """Return a policy that was found, with a button that applies it."""
        what = line["changes"]
        apply = functools.partial(self.session.use, policy, f"Applied {what}.")
        button = self._does("Apply", f"Apply {what}", apply)
        text = self.kit.html(render("widgets/templates/found.html", line=line))
        import ipywidgets as w

        return w.HBox([button, text], layout=self.kit.layout(align_items="center"))

    # -- forms ------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"Policy lab. {self.session.card!r}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from ethicalai_lab.plotting import scorecard

        figure = scorecard(self.session.card.table, title="Scorecard of the policy")
        return {
            "text/plain": repr(self),
            "text/html": (
                "<p><strong>Policy lab.</strong> The scorecard of the policy as it stands. With "
                f"a running kernel this is a widget.</p>{figure._repr_html_()}"
            ),
            **view_of(self.widget()),
        }


def _told(text: str, *, refused: bool = False) -> str:
    return render("widgets/templates/said.html", text=text, refused=refused)
