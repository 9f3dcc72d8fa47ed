"""Stopped at any instant, a vault loses nothing, keeps no key it should not, and opens."""

import base64
import os
import shutil
import stat
import subprocess
import sys
import threading
import warnings

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ethicalai_lab.core import files as cf
from ethicalai_lab.privacy.vault import ErasedError, Vault, VaultError, new_master_key

KEY, NEXT = b"k" * 32, b"n" * 32
PEOPLE, COLUMNS = (1, 2, 3, 4), ("email", "note")
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs fork or POSIX permissions")


def state(vault):
    return {
        who: {c: vault.get(who, c) for c in COLUMNS if c in vault._cells[vault._token(who)]}
        for who in PEOPLE
        if vault.has(who)
    }


@pytest.fixture
def seed(tmp_path):
    folder = tmp_path / "seed"
    with Vault.create(folder, KEY) as vault:
        for who in (1, 2, 3):
            vault.put(who, {"email": f"p{who}@example.org"})
        vault.erase(3)
    return folder


def wrapped(folder, who):
    with Vault.open(folder, KEY) as vault:
        return vault._keys[vault._token(who)]


def everything(folder):
    return b"\n".join(path.read_bytes() for path in folder.iterdir())


def holds(folder, secret):
    content = everything(folder)
    return secret in content or base64.b64encode(secret) in content


class Stop(Exception):
    pass


class Steps:
    """Count what reaches the disk; at the chosen step, do something else instead."""

    NAMES = ("open", "fsync", "replace", "fchmod", "close", "unlink")

    def __init__(self, monkeypatch, step, instead, names=NAMES):
        self.left, self.instead = step, instead
        for name in names:
            if hasattr(os, name):
                monkeypatch.setattr(os, name, self.counted(getattr(os, name)))
        monkeypatch.setattr(cf, "open", self.opened, raising=False)

    def due(self):
        self.left -= 1
        return self.left == -1

    def counted(self, call):
        def run(*args, **options):
            if self.due():
                self.instead()
            return call(*args, **options)

        return run

    def opened(self, *args, **options):
        file = open(*args, **options)  # noqa: SIM115
        write = file.write

        class Half:
            def __enter__(half):
                return half

            def __exit__(half, *_):
                file.close()

            def flush(half):
                file.flush()

            def write(half, content):
                if self.due():
                    write(content[: len(content) // 2])
                    file.flush()
                    self.instead()
                write(content)

        return Half()


ACTS = {
    "put a new person": lambda v: v.put(4, {"email": "new"}),
    "put again": lambda v: v.put(1, {"email": "changed", "note": "x"}),
    "erase": lambda v: v.erase(1),
    "purge": lambda v: v.purge(),
    "rotate": lambda v: v.rotate(NEXT),
    "accept files": lambda v: v.accept_files(),
}


def killed(monkeypatch, step, work):
    """Do the work in a child that dies at the step; tell whether it came to its end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # numpy's threads do nothing here
        child = os.fork()
    if child == 0:
        try:
            Steps(monkeypatch, step, lambda: os._exit(9))
            work()
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 0


def opened(folder):
    try:
        return Vault.open(folder, KEY)
    except VaultError:
        return Vault.open(folder, NEXT)


@POSIX
@pytest.mark.parametrize("act", ACTS)
def test_killed_at_any_step_it_is_done_or_not_and_erasure_holds(seed, monkeypatch, act):
    her = wrapped(seed, 1)
    with Vault.open(seed, KEY) as vault:
        before = state(vault)
    done = seed.with_name("done")
    shutil.copytree(seed, done)
    with Vault.open(done, KEY) as vault:
        ACTS[act](vault)
        after = state(vault)
    outcomes = []
    for step in range(100):
        folder = seed.with_name(f"s{step}")
        shutil.copytree(seed, folder)

        def work(folder=folder):
            with Vault.open(folder, KEY) as vault:
                ACTS[act](vault)

        ended = killed(monkeypatch, step, work)
        with opened(folder) as vault:
            now = state(vault)
            assert now in (before, after), step
            outcomes.append(now == after)
            assert vault.verify().empty
            if act == "erase":
                assert holds(folder, her) == vault.has(1)
                if vault.has(1):
                    vault.erase(1)
                assert not holds(folder, her)
            assert not list(folder.glob("*.part"))
        assert sorted(os.listdir(folder)) == ["vault.data", "vault.keys", "vault.root"]
        if ended:
            break
    assert ended
    assert step > 12
    assert outcomes == sorted(outcomes)  # once it is decided, it stays decided
    assert before == after or outcomes[0] != outcomes[-1]


@POSIX
def test_killed_while_it_finishes_what_was_killed(seed, monkeypatch):
    her = wrapped(seed, 1)

    def replace_nothing(*_):
        os._exit(9)

    def work():  # decided, and no file in its place
        with Vault.open(seed, KEY) as vault:
            monkeypatch.setattr(cf.Staged, "commit", replace_nothing_but_root)
            vault.erase(1)

    commit = cf.Staged.commit

    def replace_nothing_but_root(staged):
        if staged.target.name != "vault.root":
            os._exit(9)
        commit(staged)

    assert not killed(monkeypatch, 10**6, work)
    assert holds(seed, her)
    for step in range(60):
        folder = seed.with_name(f"s{step}")
        shutil.copytree(seed, folder)
        ended = killed(monkeypatch, step, lambda folder=folder: Vault.open(folder, KEY).close())
        with Vault.open(folder, KEY) as vault:
            assert sorted(state(vault)) == [2]
            assert vault.verify().empty
        assert not holds(folder, her)
        assert sorted(os.listdir(folder)) == ["vault.data", "vault.keys", "vault.root"]
        if ended:
            break
    assert ended
    assert step > 3


@POSIX
def test_killed_while_it_is_made_it_can_be_made_or_opened(tmp_path, monkeypatch):
    for step in range(60):
        folder = tmp_path / f"s{step}"
        ended = killed(monkeypatch, step, lambda f=folder: Vault.create(f, KEY).close())
        begun = (folder / "vault.root").exists()
        with (Vault.open if begun else Vault.create)(folder, KEY) as vault:
            vault.put(1, {"email": "x"})
            assert vault.verify().empty
        assert sorted(os.listdir(folder)) == ["vault.data", "vault.keys", "vault.root"]
        if ended:
            break
    assert ended


@pytest.mark.parametrize("act", ACTS)
def test_with_a_full_disk_at_any_step_the_open_vault_goes_on(seed, act):
    her = wrapped(seed, 1)
    done = seed.with_name("done")
    shutil.copytree(seed, done)
    with Vault.open(done, KEY) as vault:
        before = state(vault)
        ACTS[act](vault)
        after = state(vault)

    def full():
        raise OSError(28, "No space left on device")

    refused = 0
    for step in range(60):
        folder = seed.with_name(f"s{step}")
        shutil.copytree(seed, folder)
        with Vault.open(folder, KEY) as vault:
            with pytest.MonkeyPatch.context() as patch:
                steps = Steps(patch, step, full, Steps.NAMES[:4])
                try:
                    ACTS[act](vault)
                except VaultError as problem:
                    refused += "No space left" in str(problem)
            assert state(vault) in (before, after)
            if act == "erase" and vault.has(1):
                vault.erase(1)
            elif act != "erase":
                ACTS[act](vault)
            assert state(vault) == after
            assert vault.verify().empty
        with opened(folder) as vault:
            assert state(vault) == after
        assert act != "erase" or not holds(folder, her)
        assert sorted(os.listdir(folder)) == ["vault.data", "vault.keys", "vault.root"]
        if steps.left >= 0:
            break
    else:
        pytest.fail("it never came to its end")
    assert refused >= 4


def test_an_erasure_that_was_decided_is_finished_when_asked_again(seed, monkeypatch):
    her = wrapped(seed, 1)
    commit = cf.Staged.commit

    def held_open(staged):
        if staged.target.name == "vault.keys":
            raise PermissionError(13, "used by another program")
        commit(staged)

    with Vault.open(seed, KEY) as vault:
        with monkeypatch.context() as patch:
            patch.setattr(cf.Staged, "commit", held_open)
            with pytest.raises(VaultError, match=r"vault\.keys cannot be replaced .*decided"):
                vault.erase(1)
        assert not vault.has(1)
        assert holds(seed, her)
        vault.erase(1)
        assert not holds(seed, her)
        with pytest.raises(ErasedError):
            vault.erase(1)


# ---- opened once -------------------------------------------------------------------------


def test_a_vault_is_open_once_in_one_program_and_in_two(seed, tmp_path):
    code = (
        "import sys\nfrom ethicalai_lab.privacy.vault import Vault\n"
        "vault = Vault.open(sys.argv[1], b'k' * 32)\n"
        "print('open', flush=True)\ninput()\n"
    )
    link = tmp_path / "link"
    if os.name == "posix":
        link.symlink_to(seed)
    first = Vault.open(seed, KEY)
    for folder in (seed, link) if link.exists() else (seed,):
        with pytest.raises(VaultError, match="open already"):
            Vault.open(folder, KEY)
    first.put(4, {"email": "kept"})
    del first  # whoever drops it has closed it
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "open\n"
    with pytest.raises(VaultError, match="open already"):
        Vault.open(seed, KEY)
    other.kill()
    other.communicate()
    with Vault.open(seed, KEY) as vault:
        assert vault.get(4, "email") == "kept"


def test_threads_lose_nothing(seed):
    with Vault.open(seed, KEY) as vault:
        jobs = [
            threading.Thread(target=lambda n=n: [vault.put(f"{n}-{i}", {"x": i}) for i in range(8)])
            for n in range(4)
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
    with Vault.open(seed, KEY) as vault:
        assert [vault.get(f"{n}-{i}", "x") for n in range(4) for i in range(8)] == [*range(8)] * 4


@POSIX
def test_a_forked_child_is_refused_and_does_not_unlock(seed):
    with Vault.open(seed, KEY) as vault:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                vault.put(4, {"email": "x"})
            except VaultError:
                vault.close()
                os._exit(7)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        with pytest.raises(VaultError, match="open already"):
            Vault.open(seed, KEY)


# ---- put back, cut, altered ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vault.data", "vault.keys", "vault.root"])
@pytest.mark.parametrize("reopen", [False, True])
def test_one_file_of_an_earlier_day_is_noticed_and_brings_nobody_back(seed, name, reopen):
    old = (seed / name).read_bytes()
    vault = Vault.open(seed, KEY)
    vault.put(4, {"email": "x"})
    vault.erase(1)
    vault.purge()
    assert vault.verify().empty
    if reopen:
        vault.close()
    (seed / name).write_bytes(old)
    if reopen:
        vault = Vault.open(seed, KEY)
    with vault:
        assert name in vault.verify()["part"].tolist() or name == "vault.root"
        assert not vault.verify().empty
        if reopen and name != "vault.data":
            for ask in (lambda: vault.get(1, "email"), lambda: vault.has(1)):
                with pytest.raises(VaultError, match="nobody is read"):
                    ask()
        if reopen:
            for act in ("put again", "put a new person", "purge"):
                with pytest.raises(VaultError, match=r"Nothing was (changed|deleted)"):
                    ACTS[act](vault)


def test_all_files_of_an_earlier_day_are_noticed_by_a_number_kept_elsewhere(seed):
    copy = seed.with_name("copy")
    shutil.copytree(seed, copy)
    with Vault.open(seed, KEY) as vault:
        vault.erase(1)
        kept = vault.change
        assert vault.verify(at_least=kept).empty
    with Vault.open(copy, KEY) as vault:
        assert vault.verify().empty  # nothing in the files can tell
        found = vault.verify(at_least=kept)
        assert found["part"].tolist() == ["vault.root"]
        assert f"number {kept - 1}; {kept} was made before" in found["fault"][0]


def test_a_cut_row_and_a_flipped_token_are_noticed_and_nothing_is_purged(seed):
    data = seed / "vault.data"
    lines = data.read_text(encoding="utf-8").splitlines()
    with Vault.open(seed, KEY) as vault:
        token = vault._token(2)
    at = next(i for i, line in enumerate(lines) if token in line)
    flipped = token[:-1] + ("0" if token[-1] != "0" else "1")
    damaged = "\n".join([*lines[:at], lines[at].replace(token, flipped), *lines[at + 1 :], ""])
    cut = "\n".join([*lines[:at], *lines[at + 1 : -1], '{"end": 2}', ""])
    data.write_text(damaged, encoding="utf-8")
    with Vault.open(seed, KEY) as vault:
        assert vault.verify()["part"].tolist() == ["vault.data", "row"]
        with pytest.raises(VaultError, match=rf"vault\.data, line {at + 1}: token '{flipped}'"):
            vault.purge()
        vault.erase(1)  # a damaged data file is no reason to keep a key
        vault.rotate(NEXT)
    assert data.read_text(encoding="utf-8") == damaged
    with Vault.open(seed, NEXT) as vault:
        assert not vault.verify().empty
    data.write_text(cut, encoding="utf-8")
    with Vault.open(seed, NEXT) as vault:
        assert vault.verify()["part"].tolist() == ["vault.data"]


@pytest.mark.parametrize("name", ["vault.data", "vault.keys", "vault.root"])
def test_every_flipped_byte_is_noticed(seed, name):
    path = seed / name
    whole = path.read_bytes()
    refusals = set()
    for position in range(0, len(whole), 11):
        bad = bytearray(whole)
        bad[position] ^= 1
        path.write_bytes(bad)
        try:
            with Vault.open(seed, KEY) as vault:
                assert name in vault.verify()["part"].tolist(), position
                with pytest.raises(VaultError):
                    vault.purge()
        except VaultError as problem:
            refusals.add(str(problem))
        assert path.read_bytes() == bad
    assert all(name in said for said in refusals)
    path.write_bytes(whole)
    with Vault.open(seed, KEY) as vault:
        assert vault.verify().empty


def test_a_restore_that_was_meant_can_be_accepted(seed):
    with Vault.open(seed, KEY) as vault:
        old = (seed / "vault.keys").read_bytes()
        vault.put(4, {"email": "x"})
        vault.erase(1)
        last = vault.change
    (seed / "vault.keys").write_bytes(old)
    with Vault.open(seed, KEY) as vault:
        vault.accept_files()
        assert vault.change == last + 1
        assert vault.verify().empty
        assert vault.get(1, "email") == "p1@example.org"  # as it says: erase her again
        vault.erase(1)
        assert vault.purge() == 3  # 3 from before, 1, and 4 whose key the copy lacks
    (seed / "vault.root").unlink()
    with Vault.open(seed, KEY) as vault:
        with pytest.raises(VaultError, match=r"vault\.root is missing"):
            vault.get(2, "email")
        vault.accept_files()
        assert vault.get(2, "email") == "p2@example.org"


@POSIX
def test_permissions_and_links_of_the_files_stay(seed, tmp_path):
    safe = tmp_path / "safe"
    safe.mkdir()
    os.replace(seed / "vault.keys", safe / "keys of ours")
    (seed / "vault.keys").symlink_to(safe / "keys of ours")
    (seed / "vault.data").chmod(0o640)
    with Vault.open(seed, KEY) as vault:
        vault.put(4, {"email": "x"})
        vault.erase(1)
    assert (seed / "vault.keys").is_symlink()
    assert os.listdir(safe) == ["keys of ours"]
    assert stat.S_IMODE((seed / "vault.data").stat().st_mode) == 0o640
    for path in (safe / "keys of ours", seed / "vault.root"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with Vault.open(seed, KEY) as vault:
        assert sorted(state(vault)) == [2, 4]


# ---- against a dictionary ------------------------------------------------------------------

WHO = st.sampled_from(PEOPLE)


class AgainstADictionary(RuleBasedStateMachine):
    @initialize()
    def make(self):
        import tempfile

        self.room = tempfile.TemporaryDirectory()
        self.key = new_master_key()
        self.vault = Vault.create(self.room.name, self.key)
        self.model, self.waiting = {}, set()

    @rule(who=WHO, column=st.sampled_from(COLUMNS), value=st.text(max_size=3))
    def put(self, who, column, value):
        self.vault.put(who, {column: value})
        self.model.setdefault(who, {})[column] = value
        self.waiting.discard(who)

    @rule(who=WHO)
    def erase(self, who):
        if who in self.model:
            self.vault.erase(who)
            del self.model[who]
            self.waiting.add(who)
        else:
            with pytest.raises(ErasedError):
                self.vault.erase(who)

    @rule()
    def purge(self):
        assert self.vault.purge() == len(self.waiting)
        self.waiting.clear()

    @rule()
    def rotate(self):
        self.key = new_master_key()
        self.vault.rotate(self.key)

    @rule()
    def reopen(self):
        change = self.vault.change
        self.vault.close()
        self.vault = Vault.open(self.room.name, self.key)
        assert self.vault.verify(at_least=change).empty

    @invariant()
    def agrees(self):
        assert state(self.vault) == self.model

    def teardown(self):
        if hasattr(self, "vault"):
            self.vault.close()
            self.room.cleanup()


AgainstADictionary.TestCase.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None
)
TestAgainstADictionary = AgainstADictionary.TestCase
