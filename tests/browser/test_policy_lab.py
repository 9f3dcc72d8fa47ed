"""The policy lab by keyboard: in JupyterLab, and as the page that `policy-lab` serves."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

REPO = Path(__file__).resolve().parents[2]
NAME = "policy_lab.ipynb"
SOURCE = """\
from ethicalai_lab.policy import Policy
from ethicalai_lab.widgets.policy_lab import policy_lab
from ethicalai_lab.world import make_world

policy_lab(make_world(1_500), Policy())"""


def _notebook():
    cell = {
        "cell_type": "code",
        "id": "lab",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": SOURCE,
    }
    spec = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": [cell], "metadata": spec, "nbformat": 4, "nbformat_minor": 5}


class _Served:
    def __init__(self, url, work):
        self.url, self.work = url, work


@pytest.fixture
def served(tmp_path):
    """The page, served as the command serves it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")} | {
        "ETHICALAI_LAB_WORK": str(tmp_path),
        "PYTHONPATH": str(REPO),
        "OMP_NUM_THREADS": "2",
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    command = [sys.executable, "-m", "ethicalai_lab", "policy-lab", "--no-browser"]
    with open(tmp_path / "server.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, "--n-customers", "1500"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            line = process.stdout.readline()
            assert "http://127.0.0.1:" in line, (tmp_path / "server.log").read_text("utf-8")
            yield _Served(re.search(r"http\S+", line)[0], tmp_path)
            process.send_signal(signal.SIGINT)  # Ctrl-C ends it, quietly
            assert process.wait(120) == 0
            assert "Traceback" not in (tmp_path / "server.log").read_text("utf-8")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _status(page, text, timeout=90_000):
    page.page.locator(".eal-lab [role=status]", has_text=text).first.wait_for(timeout=timeout)


def _slider_and_undo(page):
    """Move a slider by keyboard, see the card change, undo it by keyboard."""
    own = page.page
    lab = own.locator(".eal-lab")
    card = lab.locator(".eal-live")
    assert lab.locator(".lm-TabBar-tab").count() == 12
    before, start = card.inner_text(), _values(card)
    handle = lab.locator(".noUi-handle").filter(visible=True).nth(1)  # the cost of a contact
    handle.focus()
    own.keyboard.press("ArrowRight")
    _status(page, "personalization.contact_cost is now 0.01.")
    assert lab.get_by_label("Contact cost", exact=True).input_value() == "0.01"
    changed = card.inner_text()
    assert changed != before
    assert re.search("[\u25b2\u25bc] (up|down), (better|worse|cannot tell)", changed)
    lab.get_by_role("button", name="Undo", exact=True).press("Enter")
    _status(page, "Undone: personalization.contact_cost")
    assert _values(card) == start


def _values(card):
    return card.locator("td.num").all_inner_texts()


def _choose_by_keyboard(page):
    """Go to another tab, choose a word and see a contradiction, all without a mouse."""
    own = page.page
    lab = own.locator(".eal-lab")
    tabs = lab.locator(".lm-TabBar-tab")
    tabs.first.focus()
    own.keyboard.press("ArrowRight")
    own.keyboard.press("ArrowRight")
    own.keyboard.press("Enter")
    method = lab.locator("button[title='Method: keyed']")
    method.wait_for(state="visible")
    method.press("Space")
    _status(page, "pseudonymization.method is now keyed.")
    days = lab.get_by_label("Key rotation days")
    days.fill("30")
    days.press("Enter")
    _status(page, "pseudonymization.key_rotation_days is now 30.")
    lab.locator("button[title='Method: hash']").press("Space")
    alert = lab.locator("[role=alert]", has_text="the method hash has no key")
    alert.wait_for()
    assert "mod-active" in method.get_attribute("class"), "nothing has changed"


def _files(page, folder):
    """Save, clash and export, by the buttons."""
    lab = page.page.locator(".eal-lab")
    save = lab.get_by_role("button", name="Save", exact=True)
    save.press("Enter")
    _status(page, "Saved ")
    saved = folder / "my_policy.yaml"
    assert "key_rotation_days: 30" in saved.read_text(encoding="utf-8")
    text = saved.read_text(encoding="utf-8").replace("rotation_days: 30", "rotation_days: 60")
    saved.write_text(text, encoding="utf-8")
    save.press("Enter")
    lab.locator("[role=alert]", has_text="has changed on disk").wait_for()
    assert saved.read_text(encoding="utf-8") == text
    lab.get_by_role("button", name="Export card").press("Enter")
    _status(page, "Wrote ")
    assert (folder / "policy_card.html").exists()


def _shots(page, name):
    tabs = page.page.locator(".eal-lab .lm-TabBar-tab")
    for i in (0, 4):
        tabs.nth(i).click()
        page.page.wait_for_timeout(200)
        page.shot(f"policy-lab-{name}-{i}")


def _refits(page, name):
    """Judge two policies with refits by the keyboard, with changes made while they run."""
    lab = page.page.locator(".eal-lab")
    card = lab.locator(".eal-live")
    judge = lab.get_by_role("button", name="Judge with refits", exact=True)
    lab.get_by_role("button", name="average practice", exact=True).press("Enter")
    _status(page, "Preset average practice")
    lab.get_by_role("button", name="Pin as A").press("Enter")
    card.get_by_text("difference to A (interval)").wait_for()
    lab.get_by_role("button", name="consent first", exact=True).press("Enter")
    _status(page, "Preset consent first")
    card.get_by_text("unclear without refits").first.wait_for()
    page.shot(f"policy-lab-refits-{name}-before", lab)
    judge.press("Enter")
    stop = lab.get_by_role("button", name="Stop refits")
    stop.press("Enter")
    _status(page, "Stopped after ")
    assert stop.count() == 0
    judge.press("Enter")
    _status(page, "s left.")
    page.shot(f"policy-lab-refits-{name}-while", lab)
    lab.get_by_role("button", name="Undo", exact=True).press("Enter")
    _status(page, "Undone: Preset consent first")
    lab.get_by_role("button", name="Redo", exact=True).press("Enter")
    _status(page, "Done again: Preset consent first")
    _status(page, "The card and its verdicts count 40 refits.", timeout=300_000)
    assert judge.is_disabled()
    assert card.get_by_text("unclear without refits").count() == 0
    assert card.get_by_text(re.compile("^with refits ")).count() > 3
    assert card.get_by_text("over refits").count() > 0
    page.shot(f"policy-lab-refits-{name}-after", lab)
    lab.get_by_role("button", name="Reset", exact=True).press("Enter")
    _status(page, "anew on 40 random halves")
    assert card.get_by_text(re.compile("^with refits ")).count() == 0
    lab.get_by_role("button", name="Unpin A").press("Enter")


def test_in_jupyterlab(page):
    (page.server.folder / NAME).write_text(json.dumps(_notebook()), encoding="utf-8")
    saved = page.server.work / "my_policy.yaml"
    saved.unlink(missing_ok=True)
    page.open(NAME)
    page.run_all()
    page.page.locator(".eal-live").wait_for()
    _slider_and_undo(page)
    _choose_by_keyboard(page)
    _files(page, page.server.work)
    saved.unlink()
    for theme, name in (("JupyterLab Dark", "dark"), ("JupyterLab Light", "light")):
        page.theme(theme)
        _shots(page, name)
    assert len(page.saved()["cells"]) == 1, "no key reached the notebook"
    page.asked_nothing_outside()


def test_as_a_page_of_its_own(page, served):
    said = []
    page.page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.page.goto(served.url)
    page.page.locator(".eal-live").wait_for(timeout=240_000)
    _slider_and_undo(page)
    _choose_by_keyboard(page)
    _files(page, served.work)
    _refits(page, "light")
    _shots(page, "served")
    page.page.goto(f"{served.url}&theme=dark")
    page.page.locator(".eal-live").wait_for(timeout=240_000)
    assert page.page.locator("body[data-jp-theme-light=false]").count() == 1
    _refits(page, "dark")
    _shots(page, "served-dark")
    assert page.outside == []
    assert page.failed == []
    assert page.errors == []
    assert said == []


def test_nobody_gets_in_without_the_token(served, browser):
    context = browser.new_context()
    try:
        answer = context.new_page().goto(served.url.split("?")[0])
        assert "login" in answer.url
    finally:
        context.close()
