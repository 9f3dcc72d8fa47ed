"""No verb writes over what it reads, however the name is spelt."""

import os

import pytest

from ethicalai_lab import cli
from ethicalai_lab.errors import InputError
from ethicalai_lab.outputs import apart
from ethicalai_lab.policy import Policy
from ethicalai_lab.world import make_world

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights of their own there")

MAILS = "id,mail,visit,sex\n" + "".join(
    f"{i},{'none' if i % 2 else 'mail'},{int(i % 7 in (0, 2, 3))},{'fm'[i % 3 == 0]}\n"
    for i in range(300)
)
ROLES = (
    "columns: {id: identifier, mail: treatment, visit: outcome, sex: protected}\ncontrol: none\n"
)
USES = {
    "uplift": ["uplift", "t.csv", "--roles", "r.yaml"],
    "audit-bias": ["audit-bias", "t.csv", "--roles", "r.yaml"],
    "evaluate": [
        *("evaluate", "p.yaml", "--table", "t.csv", "--roles", "r.yaml", "--n-boot", "0"),
        *("--fail-under", "rules.yaml"),
    ],
}
INPUTS = {
    "uplift": ["t.csv", "r.yaml"],
    "audit-bias": ["t.csv", "r.yaml"],
    "evaluate": ["p.yaml", "t.csv", "r.yaml", "rules.yaml"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(MAILS, encoding="utf-8")
    (tmp_path / "r.yaml").write_text(ROLES, encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(
        "set_by: us\nrules: {value.share_contacted: {max: 0.9}}\n", encoding="utf-8"
    )
    Policy().decide("personalization", targeting="random", share=0.5).save(tmp_path / "p.yaml")
    return tmp_path


def spellings(folder, name):
    """Every way in which one file can be named."""
    sub = folder / "sub"
    sub.mkdir(exist_ok=True)
    target = folder / name
    plain = name.replace(".", "-")
    (folder / f"soft-{plain}").symlink_to(target)
    (folder / f"softer-{plain}").symlink_to(folder / f"soft-{plain}")
    os.link(target, folder / f"hard-{plain}")
    if not (folder / "same").exists():
        (folder / "same").symlink_to(folder, target_is_directory=True)
    found = [name, f"./{name}", f"sub/../{name}", str(target), f"same/{name}"]
    found += [f"soft-{plain}", f"softer-{plain}", f"hard-{plain}"]
    if (folder / name.upper()).exists():  # a file system that does not tell them apart
        found.append(name.upper())
    return found


@pytest.mark.parametrize("verb", USES)
@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_verb_refuses_to_write_over_its_inputs(folder, capsys, verb, option):
    if option == "--json" and verb != "evaluate":
        pytest.skip("prints its JSON")
    for name in INPUTS[verb]:
        for spelt in spellings(folder, name):
            before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
            code = cli.main([*USES[verb], option, spelt])
            out, err = capsys.readouterr()
            assert (code, out, err.count("\n")) == (2, "", 1), (spelt, err)
            assert f"{spelt} would replace {name}, which this command uses" in err
            now = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
            assert now == before


@pytest.mark.parametrize(("one", "two"), [("x", "./x"), ("x", "X"), ("é", "e\u0301"), ("x", "l")])
def test_two_results_never_go_to_one_file(folder, capsys, one, two):
    (folder / "l").symlink_to(folder / "x")
    code = cli.main([*USES["evaluate"], "--json", one, "--html", two])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert f"{two} would replace {one}, which this command writes" in err
    assert not (folder / one).exists()


def test_a_world_that_is_read_is_not_written_into(folder, capsys):
    make_world(300, seed=1).to_parquet(folder / "w")
    for name in ("w/customers.parquet", "w/new.json", "w/../w/x"):
        args = ["evaluate", "p.yaml", "--world", "w", "--n-boot", "0", "--json", name]
        assert cli.main(args) == 2
        assert f"{name} would replace w, which this command uses" in capsys.readouterr().err


@pytest.mark.parametrize("verb", USES)
@pytest.mark.parametrize("name", ["other.yaml", "old.csv", "Old.PARQUET", "lesson.ipynb"])
def test_what_the_lab_reads_is_never_replaced_by_a_result(folder, capsys, verb, name):
    (folder / name).write_text("mine", encoding="utf-8")
    (folder / "link").symlink_to(folder / name)
    for spelt in (name, "link"):
        assert cli.main([*USES[verb], "--html", spelt]) == 2
        assert "looks like something the lab reads" in capsys.readouterr().err
    assert (folder / name).read_text("utf-8") == "mine"


@pytest.mark.parametrize("args", [["roles", "t.csv", "--out"], ["policy", "new"]])
def test_a_new_file_is_new_however_it_is_spelt(folder, capsys, args):
    for name in ("t.csv", "p.yaml"):
        for spelt in spellings(folder, name):
            before = (folder / name).read_bytes()
            assert cli.main([*args, spelt]) == 2
            assert "is there already and was left alone" in capsys.readouterr().err
            assert (folder / name).read_bytes() == before


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "loop"])
def test_names_that_no_file_can_have_are_refused_in_a_sentence(folder, name):
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(InputError):
        apart([name, "y" * 300], [])


def test_an_own_page_is_renewed_and_keeps_its_mode(folder, capsys):
    (folder / "page.html").write_text("old", encoding="utf-8")
    os.chmod(folder / "page.html", 0o640)
    assert cli.main([*USES["evaluate"], "--html", "page.html"]) in (0, 1)
    assert (folder / "page.html").read_text("utf-8").lower().startswith("<!doctype html>")
    if os.name == "posix":
        assert (folder / "page.html").stat().st_mode & 0o777 == 0o640
