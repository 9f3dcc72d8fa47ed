"""The session: what is undone, compared, saved and exported, without a page."""

import ast
import copy
import html
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from ethicalai_lab.policy import (
    Policy,
    PolicyError,
    PolicyLab,
    Rules,
    Scorecard,
    compare_scorecards,
    evaluate,
    frontier,
    preset,
    sections,
)
from ethicalai_lab.policy.background import REFITS
from ethicalai_lab.policy.notebook import to_notebook, world_recipe
from ethicalai_lab.policy.offers import list_assumed, list_options, stops
from ethicalai_lab.policy.scorecard import one_page
from ethicalai_lab.policy.session import FileClash, Session, card_html
from ethicalai_lab.world import WorldConfig, make_world


@pytest.fixture(scope="module")
def lab():
    return PolicyLab(make_world(600, seed=11), n_boot=60)


@pytest.fixture
def clock():
    now = [100.0]

    def read():
        return now[0]

    read.now = now
    return read


@pytest.fixture
def session(lab, tmp_path, clock):
    return Session(lab, Policy(), path=tmp_path / "my_policy.yaml", clock=clock)


def _values(card):
    return {m.key: (m.value, m.low, m.high, m.needs) for m in card.measures}


# -- changing -----------------------------------------------------------------------


def test_a_change_shows_the_card_of_the_new_policy_and_what_moved(session, lab):
    before = session.card
    session.decide("log.kind", "hash_chain")
    assert session.computed == ("recording",)
    expected = lab.evaluate(Policy().decide("log", kind="hash_chain"))
    assert _values(session.card) == _values(expected)
    differing = {
        m.key
        for m in expected.measures
        if (m.value, m.needs) != (before[m.key].value, before[m.key].needs)
    }
    assert {move.key for move in session.moved} == differing
    assert "duty.tampering_noticed" in differing
    move = next(m for m in session.moved if m.key == "duty.tampering_noticed")
    assert move.up
    assert move.reading == "better"
    assert move.mark == "\u25b2 up, better"


def test_readings_are_those_of_a_comparison(session):
    before = session.card
    session.use(preset("privacy_first"), "Preset.")
    table = compare_scorecards(before, session.card).table
    readings = {f"{r.dimension}.{r.measure}": r.reading for r in table.itertuples()}
    assert len(session.moved) > 10
    seen = set()
    for move in session.moved:
        if move.up is None:
            assert None in (before[move.key].value, session.card[move.key].value)
            assert move.reading == ""
            assert move.mark.startswith("\u25c6 changed")
        else:
            assert move.reading == readings[move.key]
            assert move.up == (session.card[move.key].value > before[move.key].value)
        seen.add(move.reading)
    assert {"better", "worse"} <= seen


def test_undo_and_redo_walk_the_same_way_back_and_forth(session):
    policies, cards = [session.policy], [_values(session.card)]
    for path, value in (
        ("anonymization.generalization", "mondrian"),
        ("anonymization.k", 10),
        ("consent.banner", "neutral"),
    ):
        session.decide(path, value)
        policies.append(session.policy)
        cards.append(_values(session.card))
    for i in (2, 1, 0):
        session.undo()
        assert session.policy == policies[i]
        assert _values(session.card) == cards[i]
    assert not session.can_undo
    session.undo()  # nothing to undo, nothing happens
    assert session.policy == policies[0]
    for i in (1, 2, 3):
        session.redo()
        assert session.policy == policies[i]
        assert _values(session.card) == cards[i]
    assert not session.can_redo
    session.undo()
    session.decide("log.kind", "plain_file")
    assert not session.can_redo, "a new change ends what could be made again"


def test_a_reason_is_kept_and_can_be_taken_back(session):
    session.decide("anonymization.k", 5)
    session.decide("anonymization.reason", "the board's wish")
    assert session.policy.anonymization.reason == "the board's wish"
    assert session.computed == ()
    session.decide("anonymization.reason", None)
    assert session.policy.to_dict() == {"version": 1, "anonymization": {"k": 5}}
    session.decide("fairness.audit.reason", None)
    assert session.policy["fairness.audit.reason"] is None


def test_a_slider_being_dragged_is_one_step_and_a_pause_ends_it(session, clock):
    for k in (2, 3, 5):
        clock.now[0] += 0.2
        session.decide("anonymization.k", k)
    clock.now[0] += 0.2
    session.decide("anonymization.l", 2)
    clock.now[0] += 5
    session.decide("anonymization.l", 3)
    session.undo()
    assert session.policy.anonymization.l == 2
    session.undo()
    assert session.policy.anonymization.l is None
    assert session.policy.anonymization.k == 5
    session.undo()
    assert session.policy == Policy()
    session.redo()
    assert session.policy.anonymization.k == 5


def test_what_contradicts_itself_changes_nothing(session):
    session.decide("pseudonymization.key_rotation_days", 30)
    before, card, moved = session.policy, session.card, session.moved
    with pytest.raises(PolicyError, match="the method hash has no key"):
        session.decide("pseudonymization.method", "hash")
    assert session.policy is before
    assert session.card is card
    assert session.moved == moved
    session.undo()
    assert session.policy == Policy()


def test_a_policy_that_cannot_be_evaluated_here_changes_nothing(session):
    before = session.policy
    with pytest.raises(PolicyError, match="shoe_size"):
        session.decide("data.features", ["shoe_size"])
    assert session.policy is before
    assert not session.can_undo


@pytest.mark.parametrize("path", ["anonymization.kk", "nowhere"])
def test_an_unknown_field_is_named(session, path):
    with pytest.raises(PolicyError, match="there is no field"):
        session.decide(path, 1)


def test_reset_can_be_undone(session):
    session.decide("log.kind", "hash_chain")
    session.reset()
    assert session.policy == Policy()
    session.undo()
    assert session.policy.log.kind == "hash_chain"


# -- comparing and rules ---------------------------------------------------------------


def test_a_pinned_card_is_compared_in_pairs(session):
    assert session.comparison() is None
    session.pin()
    pinned = session.card
    session.use(preset("consent_first"), "Preset.")
    expected = compare_scorecards(pinned, session.card, names=("A", "now"))
    assert session.comparison().table.equals(expected.table)
    assert session.comparison().table["paired"].any()
    page = card_html(session)
    assert "difference to A (interval)" in page
    row = expected.table.query("measure == 'against_their_will'").iloc[0]
    assert row["reading"] == "better"
    assert f"{100 * row['difference']:+.1f} points (" in page
    session.unpin()
    assert "difference to A" not in card_html(session)


RULES = """# ours
set_by: the ethics board
rules:
  duty.tampering_noticed: {min: 0.5}
  privacy.columns_in_use: {max: 100}
"""


def test_rules_show_bounds_and_misses_and_stay_through_changes(session, tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(RULES, encoding="utf-8")
    session.load_rules(file)
    assert [miss.measure for miss in session.card.misses] == ["duty.tampering_noticed"]
    page = card_html(session)
    assert "Bounds missed" in page
    assert "at least 50.0 % (the ethics board): missed" in page
    session.decide("log.kind", "hash_chain")
    session.decide("log.witness", "external")
    assert session.card.misses == []
    file.write_text("rules: {privacy.nonsense: {max: 1}}\nset_by: us\n", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"privacy\.nonsense"):
        session.load_rules(file)
    assert session.card["duty.tampering_noticed"].threshold == 0.5, "the rules before stay"
    session.drop_rules()
    assert session.card["duty.tampering_noticed"].threshold is None


# -- files -----------------------------------------------------------------------------


def test_saving_and_loading_keep_every_decision_and_every_comment(session, tmp_path):
    session.decide("anonymization.k", 20)
    session.save()
    text = session.path.read_text(encoding="utf-8")
    session.path.write_text(text.replace("k: 20", "k: 20 # the board's wish"), encoding="utf-8")
    session.load()
    session.decide("log.kind", "merkle_tree")
    session.save()
    assert "k: 20 # the board's wish" in session.path.read_text(encoding="utf-8")
    assert Policy.load(session.path) == session.policy


def test_a_file_that_changed_since_it_was_loaded_is_not_written_over_silently(session):
    session.decide("anonymization.k", 20)
    session.save()
    Policy.load(session.path).decide("anonymization", k=99).save(session.path)
    theirs = session.path.read_bytes()
    session.decide("anonymization.l", 3)
    for _ in range(2):
        with pytest.raises(FileClash, match="has changed on disk"):
            session.save()
        assert session.path.read_bytes() == theirs
    session.save(overwrite=True)  # the second press
    assert Policy.load(session.path) == session.policy
    assert not list(session.path.parent.glob("*.part"))


def test_what_changed_after_the_warning_is_told_again(session):
    session.save()
    Policy().decide("anonymization", k=2).save(session.path)
    session.decide("anonymization.k", 3)
    with pytest.raises(FileClash):
        session.save(overwrite=True)  # nobody has been told yet
    Policy().decide("anonymization", k=4).save(session.path)
    with pytest.raises(FileClash):
        session.save(overwrite=True)
    assert Policy.load(session.path).anonymization.k == 4
    session.save(overwrite=True)
    assert Policy.load(session.path).anonymization.k == 3


def test_a_file_that_was_never_loaded_is_not_written_over_silently(session):
    Policy().decide("anonymization", k=7).save(session.path)
    session.decide("anonymization.k", 3)
    with pytest.raises(FileClash, match="is there already and was not loaded here"):
        session.save()
    assert Policy.load(session.path).anonymization.k == 7


def test_a_faulty_file_is_named_and_left_alone(session):
    session.path.write_text("version: 1\nanonymization: {k: -3}\n", encoding="utf-8")
    kept = session.path.read_bytes()
    policy = session.policy
    with pytest.raises(PolicyError, match=r"anonymization\.k is -3"):
        session.load()
    for _ in range(2):
        with pytest.raises(PolicyError):
            session.save(overwrite=True)
    assert session.path.read_bytes() == kept
    assert session.policy is policy


def test_it_begins_with_the_readers_own_file(lab, tmp_path):
    path = tmp_path / "mine.yaml"
    Policy().decide("anonymization", k=7).save(path)
    session = Session(lab, path=path)
    assert session.policy.anonymization.k == 7
    session.decide("anonymization.k", 8)
    session.save()  # it is the file that was loaded: no clash
    assert Policy.load(path).anonymization.k == 8


def test_the_exported_card_is_the_card_and_another_file_is_not_written_over(session, tmp_path):
    path = tmp_path / "card.html"
    session.decide("anonymization.k", 5)
    session.export_card(path)
    page = path.read_text(encoding="utf-8")
    assert page == one_page(session.card, title="Policy scorecard")
    # on screen it is the card as it is, and on paper every measure once more
    screen = session.card.to_html(title="Policy scorecard")
    assert page.startswith(screen[: screen.index("</style></head>")])
    assert screen[screen.index("<body>") : screen.index("</body>")] in page
    sheet = page[page.index('<section class="eal-score sheet"') :]
    for measure in session.card.measures:
        assert measure.measure.replace("_", " ") in sheet
        assert (measure.shown if measure.value is not None else html.escape(measure.needs)) in sheet
    assert "anonymization: k 5" in path.read_text(encoding="utf-8")
    session.decide("anonymization.k", 6)
    session.export_card(path)  # our own export may be renewed
    path.write_text("somebody's notes", encoding="utf-8")
    with pytest.raises(FileClash):
        session.export_card(path, overwrite=True)
    assert path.read_text(encoding="utf-8") == "somebody's notes"
    session.export_card(path, overwrite=True)
    assert "somebody's notes" not in path.read_text(encoding="utf-8")


# -- the notebook ------------------------------------------------------------------------


def _run(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    return notebook


@pytest.fixture
def in_repo(monkeypatch, repo):
    monkeypatch.setenv("PYTHONPATH", str(repo))


@pytest.fixture
def exported(session, tmp_path, in_repo):
    file = tmp_path / "rules.yaml"
    file.write_text(RULES, encoding="utf-8")
    session.load_rules(file)
    session.use(
        preset("fairness_first").decide("log", reason='a "quoted" reason\\with $igns: and """ #'),
        "Preset.",
    )
    path = tmp_path / "again" / "scorecard.ipynb"
    path.parent.mkdir()
    session.export_notebook(path)
    return path


def test_the_notebook_runs_and_reproduces_every_value(exported, session):
    notebook = _run(exported)
    printed = notebook.cells[-1].outputs[0]["text"]
    assert printed == f"All {len(session.card.measures)} measures are as exported.\n"
    table = next(c for c in notebook.cells if c["id"] == "table").outputs[0]["data"]["text/html"]
    assert "the ethics board" in table
    assert table.count("<tr") == 1 + len(session.card.measures)  # none is left out in the middle
    assert [p.name for p in exported.parent.iterdir()] == [exported.name]


def test_the_notebook_notices_a_value_that_is_not_the_exported_one(exported):
    text = exported.read_text(encoding="utf-8")
    found = re.search(r'\\"privacy\.columns_in_use\\": ([0-9.]+)', text)
    wrong = text.replace(found[0], found[0].replace(found[1], "23.5"))
    assert wrong != text
    exported.write_text(wrong, encoding="utf-8")
    with pytest.raises(CellExecutionError, match=r"privacy\.columns_in_use"):
        _run(exported)


def test_the_notebook_carries_knobs_seed_and_policy(tmp_path):
    world = make_world(300, seed=5, config=WorldConfig(privacy_concern=0.8))
    assert world_recipe(world) == {"n": 300, "seed": 5, "config": {"privacy_concern": 0.8}}
    policy = preset("consent_first")
    card = evaluate(policy, world, n_boot=0, seed=3)
    text = to_notebook(policy, world_recipe(world), card)
    source = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    assert "make_world(300, seed=5, config=WorldConfig(privacy_concern=0.8))" in source
    assert "n_boot=0, seed=3" in source
    space = {}
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code" and cell["id"] in ("setup", "policy"):
            exec("".join(cell["source"]), space)
    assert space["policy"] == policy


HOSTILE = (
    "1); __import__('os').system('echo ran') #",
    'x"""; raise SystemExit("ran") #',
    "a\nimport os\nos.abort()",
    "\\",
    "'\\'\n%system ls",
    "\u2028!ls",
    '</script><img src=x onerror="alert(1)">',
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "field", ["n_boot", "seed", "refits", "version", "world", "n", "knob", "value"]
)
def test_no_text_of_a_card_becomes_code_of_a_notebook(lab, session, text, field):
    recipe = world_recipe(lab.world)
    card = session.card
    if field in ("n_boot", "seed", "refits", "version", "world"):
        card = Scorecard.from_json(card.to_json())  # as somebody else's file would bring it
        card = replace(card, about={**card.about, field: text})
    elif field == "n":
        recipe["n"] = text
    else:
        name = text if field == "knob" else "privacy_concern"
        recipe["config"] = {name: text}
    if field in ("n_boot", "seed", "refits", "n", "knob"):
        with pytest.raises(PolicyError) as caught:
            to_notebook(card.policy, recipe, card)
        assert "\n" not in str(caught.value)
        return
    cells = json.loads(to_notebook(card.policy, recipe, card))["cells"]
    _holds_only_what_a_notebook_does(cells)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_policy_or_a_rule_becomes_code_of_a_notebook(lab, text):
    policy = Policy().decide("log", reason=" ".join(text.split()) or "none")
    card = evaluate(policy, lab.world, n_boot=0)
    who = " ".join(text.split())
    bound = {"set_by": who, "rules": {"value.share_contacted": {"max": 0.5}}}
    rules = Rules.parse(json.dumps(bound, ensure_ascii=False))
    card = card.with_rules(rules)
    cells = json.loads(to_notebook(policy, world_recipe(lab.world), card, rules=rules))["cells"]
    space = _holds_only_what_a_notebook_does(cells)
    assert space["RULES"] == rules.to_yaml()


def _holds_only_what_a_notebook_does(cells):
    """Parse every cell; run the assignments of plain values, which is all that varies."""
    usual = {"make_world", "WorldConfig", "evaluate", "print", "len", "same"}
    usual |= {"Path", "TemporaryDirectory"}
    methods = {"write_text", "load", "with_rules", "parse", "isclose", "get", "set_option"}
    space = {}
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            assert "<" not in source
            continue
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= {"math", "pandas"}
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", None)
                assert name in usual or getattr(node.func, "attr", None) in methods, ast.unparse(
                    node
                )
            assert not isinstance(node, ast.Raise | ast.Global | ast.Lambda)
        for node in tree.body:
            if isinstance(node, ast.Assign) and node.targets[0].id.isupper():
                space[node.targets[0].id] = ast.literal_eval(node.value)
        assert not any(line.startswith(("%", "!")) for line in _outside_texts(source))
    assert set(space) >= {"POLICY", "EXPECTED"}
    return space


def _outside_texts(source):
    """Return the lines of a source that a notebook could take for commands of its own."""
    inside = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            inside |= set(range(node.lineno + 1, node.end_lineno + 1))
    lines = enumerate(source.split("\n"), start=1)
    return [line.lstrip() for number, line in lines if number not in inside]


def test_an_export_never_replaces_another_thing_of_the_session(session, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    session.load_rules(rules)
    session.save()
    card = tmp_path / "card.html"
    session.export_card(card)
    link = tmp_path / "link"
    link.symlink_to(session.path)
    hard = tmp_path / "hard"
    os.link(rules, hard)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for write, names in (
        (session.export_card, (session.path, rules, link, hard)),
        (session.export_notebook, (session.path, rules, link, hard, card)),
        (session.save, (rules, hard, card)),
    ):
        for name in names:
            for _ in range(2):  # a second press does not help
                with pytest.raises(PolicyError, match="of this session; nothing was written"):
                    write(name, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_cannot_be_reproduced_is_refused(lab, session, tmp_path):
    world = lab.world
    other = copy.copy(world)
    changed = world.campaign.assign(spend=world.campaign["spend"] + 1)
    other._tables = {**world.tables, "campaign": changed}
    with pytest.raises(PolicyError, match="cannot be made again from a seed"):
        world_recipe(other)
    with pytest.raises(PolicyError, match="another policy"):
        to_notebook(preset("consent_first"), world_recipe(world), session.card)
    with pytest.raises(PolicyError, match="folder"):
        session.export_notebook(tmp_path / "nowhere" / "x.ipynb")


# -- a better one nearby -------------------------------------------------------------------


def test_a_search_tells_how_far_it_is_and_finds_what_improves(session):
    told = []
    search = session.search("duty.tampering_noticed")
    search.watch(lambda s: told.append((s.done, s.of))).start().wait(300)
    assert not search.running
    assert search.problem == ""
    done, of = zip(*told, strict=True)
    assert list(done) == sorted(done)
    assert done[-1] == of[-1] > 100
    assert 1 <= len(search.found) <= frontier.BEST
    for policy in search.found.policies:
        session.use(policy, "Applied.")
        move = next(m for m in session.moved if m.key == "duty.tampering_noticed")
        assert move.reading == "better"
        session.undo()


def test_a_search_for_two_changes_finds_what_works_only_together(lab, tmp_path):
    here = Session(PolicyLab(lab.world, n_boot=0), Policy(), path=tmp_path / "p.yaml")
    search = here.search("duty.tampering_noticed", changes=2).start().wait(300)
    assert search.problem == ""
    assert search.found.tried > 120
    assert any("log.kind" in row and "log.witness" in row for row in search.found.table["changes"])


def test_a_search_for_what_is_learned_is_borne_out_by_refits(session):
    search = session.search("fairness.selection_gap_age_band").start().wait(300)
    assert search.problem == ""
    for policy in search.found.policies:
        cards = [session.lab.evaluate(each, refit=20) for each in (session.policy, policy)]
        row = compare_scorecards(*cards).table.set_index("measure").loc["selection_gap_age_band"]
        assert row["reading"] == "better"


def test_a_search_can_be_stopped_and_leaves_the_policy_alone(session):
    before = session.policy
    search = session.search("duty.tampering_noticed")
    search.watch(lambda s: s.stop() if s.done >= 3 else None).start().wait(120)
    assert not search.running
    assert 3 <= search.done < search.of
    assert search.found is None
    assert search.problem.startswith("Stopped")
    assert session.policy is before


def test_a_search_for_what_has_no_number_says_so(session):
    search = session.search("consent.unmeant_consent").start().wait(60)
    assert "needs at least one" in search.problem


# -- judging with refits -------------------------------------------------------------------


@pytest.fixture
def forgetful(lab):
    """A lab that knows no refits yet."""
    return PolicyLab(lab.world, n_boot=60)


@pytest.fixture(scope="module")
def wise(lab):
    """A lab that knows those of two policies."""
    wise = PolicyLab(lab.world, n_boot=60)
    for name in ("average_practice", "fairness_first"):
        wise.run_refits(preset(name), REFITS)
    return wise


@pytest.fixture
def judged(wise):
    """Two policies that learn, one pinned as A, judged."""
    session = Session(wise, preset("average_practice"))
    session.pin()
    session.use(preset("fairness_first"), "Preset.")
    return session


def _has_refits(card):
    """Tell whether what is learned has its refits: on all of it, or on none."""
    found = {m.refits is not None for m in card.measures if m.learned and m.value is not None}
    assert len(found) == 1
    return found.pop()


def _wide(card):
    found = [m for m in card.measures if m.shown_refits]
    assert found
    return found


def _no_refit_may_run(lab, monkeypatch):
    def refuse(*_):
        raise AssertionError("a refit was run")

    monkeypatch.setattr(lab, "_refits", refuse)


def test_refits_give_the_card_and_its_verdicts_the_wider_intervals(forgetful, wise):
    judged = Session(forgetful, preset("average_practice"))
    judged.pin()
    judged.use(preset("fairness_first"), "Preset.")
    judging = judged.judge().start().wait(300)
    assert (judging.problem, judging.done, judging.of) == ("", 2 * REFITS, 2 * REFITS)
    names = ("average_practice", "fairness_first")
    a, now = (wise.evaluate(preset(name), refit=REFITS) for name in names)
    for measure in judged.card.measures:
        assert (measure.refit_low, measure.refit_high) == (
            now[measure.key].refit_low,
            now[measure.key].refit_high,
        )
    expected = compare_scorecards(a, now, names=("A", "now")).table
    assert judged.comparison().table.equals(expected)
    assert expected["refits"].any()
    readings = {f"{r.dimension}.{r.measure}": r.reading for r in expected.itertuples()}
    for move in judged.moved:
        if move.up is not None:
            assert move.reading == readings[move.key]
    assert judged.unjudged == []
    page = card_html(judged)
    for measure in _wide(judged.card):
        assert measure.shown_refits in page
    assert ", over refits" in page


def test_a_change_runs_no_refits_and_what_they_told_comes_back_with_the_policy(judged, monkeypatch):
    _no_refit_may_run(judged.lab, monkeypatch)
    with_refits = card_html(judged)
    judged.decide("personalization.share", 0.11)
    assert not _has_refits(judged.card)
    assert [p["personalization.share"] for p in judged.unjudged] == [0.11]
    judged.undo()
    assert _has_refits(judged.card)
    judged.undo()
    assert judged.policy == preset("average_practice")
    judged.redo()
    assert card_html(judged) == with_refits
    # what is not learned from leaves the refits in force
    judged.decide("log.kind", "plain_file")
    assert _has_refits(judged.card)


def test_what_waits_for_refits_is_said_in_plain_words(forgetful):
    session = Session(forgetful, preset("average_practice"))
    session.pin()
    session.use(preset("privacy_first"), "Preset.")
    waiting = [move for move in session.moved if move.reading == "needs refits"]
    assert waiting
    page = card_html(session)
    assert page.count("unclear without refits") >= 2 * len(waiting)  # in the list, and beside A
    session.judge().start().wait(300)
    page = card_html(session)
    assert "unclear without refits" not in page


def test_refits_can_be_stopped_and_only_whole_ones_count(forgetful):
    session = Session(forgetful, preset("average_practice"))
    session.use(preset("fairness_first"), "Preset.")
    before = session.policy
    judging = session.judge()
    judging.watch(lambda j: j.stop() if j.done >= REFITS + 3 else None).start().wait(300)
    assert not judging.running
    assert judging.problem == f"Stopped after {judging.done} of {2 * REFITS} refits."
    assert REFITS < judging.done < 2 * REFITS
    assert session.policy is before
    assert _has_refits(session.card), "the first policy's are all there"
    assert session.unjudged == [preset("average_practice")]


def test_what_is_done_while_refits_run_stays_done(forgetful):
    session = Session(forgetful, preset("fairness_first"))
    judging = session.judge()

    def meddle(task):
        if task.done == 5 and task.running:
            session.decide("personalization.share", 0.11)
            session.pin()

    judging.watch(meddle).start().wait(300)
    assert judging.problem == ""
    assert session.policy["personalization.share"] == 0.11
    assert session.pinned.policy == session.policy
    assert not _has_refits(session.card)
    session.undo()
    assert session.policy == preset("fairness_first")
    assert _has_refits(session.card)


def test_rules_stay_when_refits_come_in(forgetful, tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(RULES, encoding="utf-8")
    session = Session(forgetful, preset("fairness_first"))
    session.load_rules(file)
    misses = [miss.measure for miss in session.card.misses]
    session.judge().start().wait(300)
    assert [miss.measure for miss in session.card.misses] == misses != []


def test_exports_hold_the_refits(judged, tmp_path):
    judged.export_card(tmp_path / "card.html")
    page = (tmp_path / "card.html").read_text(encoding="utf-8")
    for measure in _wide(judged.card):
        assert page.count(measure.shown_refits) >= 2  # on screen, and on paper
    sheet = page[page.index('<section class="eal-score sheet"') :]
    assert f"refits: {REFITS}" in sheet
    assert "known only here" in sheet
    judged.export_notebook(tmp_path / "card.ipynb")
    notebook = nbformat.read(tmp_path / "card.ipynb", as_version=4)
    source = next(c.source for c in notebook.cells if c["id"] == "evaluate")
    assert source.endswith(f"n_boot=60, seed=0, refit={REFITS})")


def test_what_only_this_world_knows_has_no_cross_to_be_tested_by(session):
    page = card_html(session)
    known = [m for m in session.card.measures if m.only_here and m.value is not None]
    assert page.count("<small>known only here</small>") == len(known) > 0


# -- what controls need ----------------------------------------------------------------------


def _numbers():
    return [p for p in sections.FIELDS if sections.limits(p)[1] is not None]


@pytest.mark.parametrize("path", _numbers())
def test_each_stop_of_a_slider_is_accepted_and_reaches_the_ends(path):
    found = stops(path)
    assert list(found) == sorted(set(found))
    assert 10 <= len(found) <= 400
    low, high, excluded = sections.limits(path)
    assert found[-1] == high
    assert excluded or found[0] == low
    section, _, name = path.rpartition(".")
    for value in found:
        assert getattr(Policy().decide(section, **{name: value}).section(section), name) == value


def _lists():
    return [p for p in sections.FIELDS if sections.is_list(p)]


@pytest.mark.parametrize("path", _lists())
def test_each_name_that_is_offered_can_be_evaluated(lab, path):
    section, _, name = path.rpartition(".")
    options = list_options(path, lab)
    assert set(list_assumed(path, lab)) <= set(options)
    for chosen in (list(options), [options[-1]]):
        lab.evaluate(Policy().decide(section, **{name: chosen}))


def test_what_a_list_is_assumed_to_hold_gives_the_same_card(lab):
    usual = _values(lab.evaluate(Policy()))
    for path in _lists():
        chosen = list(list_assumed(path, lab))
        if chosen or path != "fairness.audit.groups":
            section, _, name = path.rpartition(".")
            assert _values(lab.evaluate(Policy().decide(section, **{name: chosen}))) == usual, path


def test_the_live_card_holds_every_measure_and_loads_nothing(session):
    session.use(preset("consent_first"), "Preset.")
    page = card_html(session)
    for measure in session.card.measures:
        assert measure.measure.replace("_", " ") in page
    assert page.count("class=moved") == len(session.moved) > 0
    for move in session.moved:
        assert move.mark in page
    assert not re.search(r"(?:src|href)\s*=|https?://|@import|<script", page)


def test_rules_are_the_teams_own(session):
    assert Rules.parse(RULES).to_yaml() == RULES
    assert Path(session.path).name == "my_policy.yaml"


def test_a_slider_that_comes_back_leaves_nothing_to_undo(lab):
    now = [0.0]
    session = Session(lab, Policy(), clock=lambda: now[0])
    session.decide("log.kind", "hash_chain")
    now[0] = 10.0
    for share in (0.5, 0.6, 0.5, None):
        session.decide("personalization.share", share)
        now[0] += 0.1
    assert session.policy["personalization.share"] is None
    session.undo()
    assert session.policy["log.kind"] is None
    assert not session.can_undo


def test_a_file_that_cannot_be_read_is_not_saved_over_and_says_so(session, tmp_path):
    path = tmp_path / "my_policy.yaml"
    path.write_text("version: 1\nlog: {kind: none}\nlog: {kind: none}\n", encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(FileClash):
        session.save(path)
    with pytest.raises(PolicyError, match=r"^Not saved, nothing was written: .*line 3"):
        session.save(path, overwrite=True)
    assert path.read_bytes() == before


def test_the_printed_sheet_says_a_reason_once_and_each_bound(session):
    rules = "set_by: the board\nrules:\n  privacy.columns_in_use: {max: 3}\n"
    card = session.card.with_rules(Rules.parse(rules))
    sheet = one_page(card).rpartition('<section class="eal-score sheet"')[2]
    assert "at most 3 (the board): missed" in sheet
    sizes = re.findall(r"([\d.]+)pt", one_page(card).rpartition(".sheet{display:none}")[2])
    assert sizes
    assert min(map(float, sizes)) >= 7
    lacking = {m.needs for m in card.measures if m.value is None}
    assert lacking
    assert all(sheet.count(f"<i>{html.escape(needs)}</i>") == 1 for needs in lacking)
