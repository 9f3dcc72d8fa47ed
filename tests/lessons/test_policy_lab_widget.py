"""The policy lab's controls: each one moved, as the page would, and held to the evaluation."""

import re
from xml.etree import ElementTree

import ipywidgets
import pytest

from ethicalai_lab.policy import PRESETS, Policy, PolicyLab, preset, sections
from ethicalai_lab.policy.offers import stops
from ethicalai_lab.widgets.base import WIDGET_VIEW, WidgetError
from ethicalai_lab.widgets.policy_fields import OPEN
from ethicalai_lab.widgets.policy_lab import TITLES, policy_lab
from ethicalai_lab.world import make_world


@pytest.fixture(scope="module")
def lab():
    return PolicyLab(make_world(600, seed=11), n_boot=40)


@pytest.fixture(scope="module")
def page(lab, tmp_path_factory):
    path = tmp_path_factory.mktemp("work") / "my_policy.yaml"
    shown = policy_lab(lab=lab, policy=Policy(), path=path)
    shown.widget()
    return shown


@pytest.fixture(autouse=True)
def afresh(request):
    if "page" in request.fixturenames:
        page = request.getfixturevalue("page")
        page.act(lambda: page.session.use(Policy(), "Afresh."))
        page.session.unpin()
        page.session.drop_rules()


def _agrees(page, lab):
    """The page shows the policy's own evaluation, in each control and in the card."""
    card = lab.evaluate(page.session.policy)
    for measure in card.measures:
        own = page.session.card[measure.key]
        assert (own.value, own.low, own.high) == (measure.value, measure.low, measure.high)
        if measure.value is not None:
            shown = measure.shown.replace("&", "&amp;")
            assert shown in page.card.value
    for path, field in page.fields.items():
        decided = page.session.policy[path]
        control = field.control
        if hasattr(control, "choice"):
            assert control.choice.value == (OPEN if decided is None else decided)
        elif hasattr(control, "ticks"):
            assert control.open.value == (decided is None)
            if decided is not None:
                assert {n for n, t in control.ticks.items() if t.value} == set(decided)
        elif hasattr(control, "slider"):
            assert control.open.value == (decided is None)
            if decided is not None:
                assert control.box.value == decided
        else:
            assert control.text.value == (decided or "")


def test_there_is_a_tab_a_section_in_the_order_of_the_lessons(page):
    assert list(TITLES) == list(sections.SECTIONS)
    assert [page.tabs.get_title(i) for i in range(12)] == list(TITLES.values())
    assert list(page.fields) == list(sections.FIELDS)


def _prepare(page, path):
    """Decide what a field needs beside it, so that it may be decided at all."""
    needs = {
        "pseudonymization": ("pseudonymization.method", "keyed"),
        "storage.erasure": ("storage.encryption", "per_person_key"),
        "log.witness": ("log.kind", "hash_chain"),
    }
    for start, (other, value) in needs.items():
        if path.startswith(start) and other != path:
            assert page.set(other, value) == ""


@pytest.mark.parametrize("path", list(sections.FIELDS))
def test_each_control_decides_its_field_and_can_leave_it_undecided(page, lab, path):
    _prepare(page, path)
    start = page.session.policy
    control = page.fields[path].control
    if hasattr(control, "choice"):
        values = [value for _, value in control.choice.options]
        words = sections.choices(path) or (True, False)
        assert set(values) == {*words, OPEN}
        for value in values:
            control.choice.value = value
            assert page.session.policy[path] == (None if value == OPEN else value)
            assert page.fields[path]._refusal == ""
        control.choice.value = words[-1]
    elif hasattr(control, "slider"):
        found = stops(path)
        shown = control.box.value
        control.open.value = False
        assert page.session.policy[path] == shown, "what was assumed is now decided"
        for at in (0, len(found) - 1, len(found) // 2):
            control.slider.value = at
            assert page.session.policy[path] == found[at]
            assert control.box.value == found[at]
        typed = found[len(found) // 2 - 1]
        control.box.value = typed
        assert page.session.policy[path] == typed
        assert found[control.slider.value] == typed
    elif hasattr(control, "ticks"):
        first, second = list(control.ticks)[:2]
        if path != "fairness.audit.groups":  # which may not be empty
            control.open.value = False
            assert page.session.policy[path] is not None
        control.ticks[first].value = True
        for name, tick in control.ticks.items():
            tick.value = name in (first, second)
        assert set(page.session.policy[path]) == {first, second}
        control.ticks[second].value = False
        assert page.session.policy[path] == [first]
    else:
        control.text.value = "because <the board> said so"
        assert page.session.policy[path] == "because <the board> said so"
        assert page.session.computed == (), "a reason changes no number"
    _agrees(page, lab)
    assert path in page.status.value
    # and back to undecided
    if hasattr(control, "choice"):
        control.choice.value = OPEN
    elif hasattr(control, "open"):
        control.open.value = True
    else:
        control.text.value = ""
    assert page.session.policy[path] is None
    page.undo.click()
    page.redo.click()
    assert page.session.policy[path] is None
    assert page.session.policy == start
    _agrees(page, lab)


def test_undecided_shows_what_is_then_assumed(page):
    choice = page.fields["personalization.targeting"].control.choice
    assert choice.options[-1] == ("undecided, so everyone", OPEN)
    assert choice.value == OPEN
    assert choice.index == len(choice.options) - 1, "what is chosen can be seen"
    box = page.fields["data.retention_days"].control.box
    assert box.value == 3650
    assert "While undecided: 3,650" in page.fields["data.retention_days"].message.value
    ticks = page.fields["data.features"].control.ticks
    assert all(tick.value for tick in ticks.values())
    assert not any(t.value for t in page.fields["fairness.audit.groups"].control.ticks.values())


def test_a_contradiction_is_said_in_place_and_changes_nothing(page, lab):
    page.fields["pseudonymization.key_rotation_days"].control.box.value = 30
    before = page.session.policy
    method = page.fields["pseudonymization.method"]
    method.control.choice.value = "hash"
    assert page.session.policy is before
    assert method.control.choice.value == OPEN, "the control is back, too"
    assert 'role="alert"' in method.message.value
    said = re.search(r'role="alert">(.*?)</div>', method.message.value)[1]
    assert said == (
        "pseudonymization.key_rotation_days is decided, but the method hash has no key; choose "
        "the method keyed, or leave key_rotation_days undecided."
    )
    _agrees(page, lab)
    method.control.choice.value = "keyed"
    assert page.session.policy.pseudonymization.method == "keyed"
    assert "alert" not in method.message.value, "what is settled is no longer said"


def test_an_empty_list_of_groups_is_refused_in_place(page):
    field = page.fields["fairness.audit.groups"]
    field.control.ticks["gender"].value = True
    assert page.session.policy["fairness.audit.groups"] == ["gender"]
    field.control.ticks["gender"].value = False
    assert "is an empty list" in field.message.value
    assert field.control.ticks["gender"].value
    assert page.session.policy["fairness.audit.groups"] == ["gender"]


def test_undo_redo_and_reset_are_buttons(page, lab):
    k = page.fields["anonymization.k"].control
    k.box.value = 5
    assert not page.undo.disabled
    page.undo.click()
    assert page.session.policy == Policy()
    assert k.open.value
    page.redo.click()
    assert k.box.value == 5
    assert page.redo.disabled
    page.reset.click()
    assert page.session.policy == Policy()
    _agrees(page, lab)


@pytest.mark.parametrize("name", list(PRESETS))
def test_each_preset_fills_every_control(page, lab, name):
    page.presets[name].click()
    assert page.session.policy == preset(name)
    _agrees(page, lab)
    assert PRESETS[name].about.replace("'", "&#x27;") in page.status.value


def test_what_moved_is_marked_by_sign_and_word_and_announced(page):
    page.fields["log.kind"].control.choice.value = "hash_chain"
    assert "log.kind is now hash_chain." in page.status.value
    assert "1 measures moved" not in page.status.value
    assert 'aria-live="polite"' in page.status.value
    row = re.search(r"<tr class=moved>.*?tampering noticed.*?</tr>", page.card.value, re.S)[0]
    assert "\u25b2 up, better" in row
    assert "was 0" in row
    page.fields["storage.erasure_days"].control.box.value = 123
    assert "Stages computed: store, duties; 16 already known." in page.status.value


def test_a_pinned_policy_is_compared(page):
    page.pin.click()
    assert not page.unpin.disabled
    page.presets["privacy_first"].click()
    assert "difference to A (interval)" in page.card.value
    assert "now against A:" in page.status.value
    page.unpin.click()
    assert "difference to A" not in page.card.value


def test_files_are_loaded_saved_and_never_written_over_silently(page, tmp_path):
    path = tmp_path / "other.yaml"
    page.file.value = str(path)
    page.fields["anonymization.k"].control.box.value = 5
    page.save.click()
    assert Policy.load(path).anonymization.k == 5
    Policy().decide("anonymization", k=9).save(path)
    page.fields["anonymization.k"].control.box.value = 6
    page.save.click()
    assert "has changed on disk" in page.file_said.value
    assert Policy.load(path).anonymization.k == 9
    page.save.click()
    assert Policy.load(path).anonymization.k == 6
    path.write_text("version: 1\nanonymization: {k: none}\n", encoding="utf-8")
    page.load.click()
    assert "anonymization.k is" in page.file_said.value
    assert 'role="alert"' in page.file_said.value
    assert page.session.policy.anonymization.k == 6
    path.write_text("version: 1\nanonymization: {k: 3}\n", encoding="utf-8")
    page.load.click()
    assert page.fields["anonymization.k"].control.box.value == 3


def test_card_notebook_and_rules_by_button(page, tmp_path):
    page.card_file.value = str(tmp_path / "card.html")
    page.to_card.click()
    assert "<!DOCTYPE html>" in (tmp_path / "card.html").read_text(encoding="utf-8")
    page.notebook_file.value = str(tmp_path / "again.ipynb")
    page.to_notebook.click()
    assert (tmp_path / "again.ipynb").exists()
    rules = tmp_path / "rules.yaml"
    page.rules_file.value = str(rules)
    page.rules.click()
    assert "alert" in page.file_said.value, "there is no such file yet"
    rules.write_text("set_by: us\nrules: {duty.tampering_noticed: {min: 0.5}}\n", encoding="utf-8")
    page.rules.click()
    assert "at least 50.0 % (us): missed" in page.card.value
    page.no_rules.click()
    assert "(us)" not in page.card.value


def test_a_search_shows_its_progress_and_its_rows_can_be_applied(page):
    page.measure.value = ""
    page.find.click()
    assert "Name the measure" in page.results.children[0].value
    page.measure.value = "gap"
    page.find.click()
    assert "Several measures hold" in page.results.children[0].value
    assert page._meant(" Tampering ") == ("duty.tampering_noticed", "")
    page.measure.value = "duty: tampering noticd"
    page.find.click()
    page._search.wait(60)
    assert "There is no measure" in page.results.children[0].value
    page.measure.value = "duty: tampering noticed"
    assert page.measure.value in page.measure.options
    page.find.click()
    assert page.find.disabled
    page._search.wait(300)
    assert not page.find.disabled
    assert page.progress.value == page.progress.max > 100
    rows = page.results.children[1:]
    assert len(rows) >= 1
    button, text = rows[0].children
    assert "becomes" in text.value
    before = page.session.card["duty.tampering_noticed"].value
    button.click()
    assert page.session.card["duty.tampering_noticed"].value > before
    page.undo.click()
    assert page.session.policy == Policy()


def test_a_search_that_finds_nothing_says_how_to_go_on(page):
    class Found(list):
        improve, tried = "privacy.smallest_class", 129

    class Over:
        found, running, done, of, problem, changes = Found(), False, 134, 134, "", 1

    page._search = Over()
    page._progressed(page._search)
    assert page.progress_said.value == "129 policies tried"
    said = page.results.children[0].value
    assert "None of the 129 policies tried improves privacy: smallest class." in said
    assert "search with up to two changes" in said
    Over.changes = 2
    page._progressed(page._search)
    assert "up to two" not in page.results.children[0].value


def test_every_control_has_a_label(page):
    seen = []

    def walk(widget):
        seen.append(widget)
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(page.widget())
    kinds = (
        ipywidgets.Combobox,
        ipywidgets.ToggleButtons,
        ipywidgets.Checkbox,
        ipywidgets.BoundedIntText,
        ipywidgets.BoundedFloatText,
        ipywidgets.Text,
        ipywidgets.Button,
    )
    controls = [w for w in seen if isinstance(w, kinds)]
    assert len(controls) > 140
    for control in controls:
        assert control.description or control is page.changes, control
        assert control.tooltip is None or len(control.tooltip) > 5


def test_the_static_form_is_the_scorecards_figure(page):
    page.set("log.kind", "hash_chain")
    bundle = page._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", WIDGET_VIEW}
    assert bundle[WIDGET_VIEW]["model_id"] == page.widget().model_id
    image = re.search(r"<img[^>]*>", bundle["text/html"])[0]
    alt = ElementTree.fromstring(image.rstrip("/>") + "/>").get("alt")
    assert "tampering noticed" in alt
    assert bundle["text/plain"].startswith("Policy lab. Scorecard:")


def test_a_faulty_file_opens_the_page_all_the_same(lab, tmp_path):
    path = tmp_path / "my_policy.yaml"
    path.write_text("version: 1\nanonymization: {k: -3}\n", encoding="utf-8")
    kept = path.read_bytes()
    page = policy_lab(lab=lab, path=path)
    page.widget()
    assert "anonymization.k is -3" in page.file_said.value
    page.save.click()
    assert path.read_bytes() == kept


def test_names_that_only_the_file_knows_are_shown(lab, tmp_path):
    policy = Policy().decide("fairness.audit", groups=["marital_status"])
    page = policy_lab(lab=lab, policy=policy, path=tmp_path / "p.yaml")
    page.widget()
    assert page.fields["fairness.audit.groups"].control.ticks["marital_status"].value


def test_world_and_lab_must_belong_together(lab):
    with pytest.raises(WidgetError, match="another world"):
        policy_lab(make_world(200, seed=1), lab=lab)
    with pytest.raises(WidgetError, match="no field"):
        policy_lab(lab=lab, policy=Policy()).set("nowhere", 1)


def test_the_page_says_what_waits_for_refits_and_the_button_brings_them(lab, tmp_path):
    here = PolicyLab(lab.world, n_boot=40)
    page = policy_lab(lab=here, policy=preset("average_practice"), path=tmp_path / "p.yaml")
    page.widget()
    assert "40 refits, some seconds." in page.judge_said.value
    page.pin.click()
    page.presets["privacy_first"].click()
    waiting = {m.key for m in page.session.moved if m.reading == "needs refits"}
    assert waiting
    verdicts = "verdict waits" if len(waiting) == 1 else "verdicts wait"
    assert f"{len(waiting)} {verdicts} for this: all is learned" in page.judge_said.value
    assert " 80 refits, " in page.judge_said.value
    assert f"{len(waiting)} unclear without refits" in page.status.value
    assert "needs refits" not in page.card.value + page.status.value
    page.judge.click()
    page._judging.wait(300)
    assert "The card and its verdicts count 40 refits." in page.judge_said.value
    assert page.judge.disabled
    assert "unclear without refits" not in page.card.value
    assert page.no_judge not in page.judging.children
    page.undo.click()
    assert page.judge.disabled, "what was run for A is known"
    page.fields["personalization.share"].control.box.value = 0.11
    assert not page.judge.disabled
    assert "refits, about " in page.judge_said.value
