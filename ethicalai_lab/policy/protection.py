"""What protects people once their data is held: tokens and storage.

Every figure here is read off something that was really made: tokens that were computed,
files that were written and read back. The attacks of the privacy room then run on it, and the world's truth says who was right.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.stages import (
    Estimate,
    Ratio,
    Settings,
    measure,
    stage,
    steps,
)

__all__ = [
    "MEASURES",
    "PARTNERS",
    "STAGES",
    "TOKEN_PEOPLE",
    "TOKEN_PURPOSES",
    "YEAR_PEOPLE",
    "Store",
    "Tokens",
    "joined",
    "make_tokens",
    "months_joined",
    "share_of",
    "use_of",
]

_YEAR = 365
_MONTHS = 12


def _spread(n: int, positions: NDArray[np.int64], values: Any) -> NDArray[np.float64]:
    """Write values of some people into a column of all."""
    column = np.zeros(n)
    column[positions] = values
    return column


# ------------------------------------------------------------------------------- tokens

TOKEN_PEOPLE = 1_500
YEAR_PEOPLE = 250
_DECOYS = 500
PARTNERS = ("advertising network", "data broker")
TOKEN_PURPOSES = ("analytics", "direct_marketing")


@dataclass(frozen=True, eq=False)
class Tokens:
    """What stood in the place of addresses, and what attackers made of it.

    Attributes
    ----------
    people : ndarray of int, shape (m,)
        Positions of the people whose tokens were made.
    guessed, guessed_inside : ndarray of bool, shape (m,)
        Whose address an outsider, and an insider, recovered.
    partners_linked, purposes_linked : ndarray of bool, shape (m,)
        Whose two tokens were joined, rightly.
    year_people : ndarray of int, shape (y,)
    months_linked : ndarray of int, shape (y,)
        Pairs of months, out of 66, in which the person's tokens were joined, rightly.
    example : str
        The first token.
    """

    people: NDArray[np.int64]
    guessed: NDArray[np.bool_]
    guessed_inside: NDArray[np.bool_]
    partners_linked: NDArray[np.bool_]
    purposes_linked: NDArray[np.bool_]
    year_people: NDArray[np.int64]
    months_linked: NDArray[np.int64]
    example: str


def _master_key(context: EvaluationContext) -> bytes:
    # from the seed, for a scorecard must be reproducible; a real key comes from new_key()
    return hashlib.sha256(f"ethicalai-lab token key {context.seed}".encode()).digest()


def make_tokens(
    context: EvaluationContext,
    settings: Mapping[str, Any],
    addresses: list[str],
    *,
    use: str,
    day: int,
) -> list[str]:
    """Tokens of addresses as the policy has them made, for a use on a day of the year.

    ``use`` names purpose and partner, as far as the policy tells them apart.
    """
    from ethicalai_lab.privacy.pseudonymization import Pseudonymizer, hash_values

    method = settings["pseudonymization.method"]
    if method == "none":
        return addresses
    if method == "hash":
        return hash_values(addresses)
    days = settings["pseudonymization.key_rotation_days"]
    version = 1 if days is None else 1 + day // int(days)
    return Pseudonymizer(_master_key(context), use, version=version).tokens(addresses)


def use_of(settings: Mapping[str, Any], purpose: str, partner: str) -> str:
    """Name a use as far as the policy's tokens tell purposes and partners apart."""
    parts = [
        purpose if settings["pseudonymization.per_purpose"] else "every purpose",
        partner if settings["pseudonymization.per_partner"] else "every partner",
    ]
    return ", ".join(parts)


def _address_book(context: EvaluationContext) -> dict[str, Any]:
    """Gather the people whose tokens are made, their addresses, and what attackers already know."""
    from ethicalai_lab.privacy.pseudonymization import normalize

    people = context.sample("tokens", min(TOKEN_PEOPLE, context.n))
    addresses = normalize(context.customers["email"].to_numpy(object)[people])
    known = context.world.truth.identity["customer_id"].to_numpy()
    listed = np.isin(context.ids[people], known)
    likely = [address for address, inside in zip(addresses, listed, strict=True) if inside]
    # wrong guesses too: names that occur, at hosts that occur, numbers that were not given out
    rng = context.rng("tokens.decoys")
    names = [address.split("@")[0].rstrip("0123456789") for address in addresses]
    hosts = sorted({address.rpartition("@")[2] for address in addresses})
    count = min(_DECOYS, len(addresses))
    decoys = [
        f"{names[i]}{number}@{hosts[host]}"
        for i, number, host in zip(
            rng.integers(0, len(names), count),
            rng.integers(0, 100_000, count),
            rng.integers(0, len(hosts), count),
            strict=True,
        )
    ]
    year = people[np.sort(rng.permutation(len(people))[:YEAR_PEOPLE])]
    return {
        "people": people,
        "addresses": addresses,
        "guesses": likely + decoys,
        "year": year,
        "year_addresses": normalize(context.customers["email"].to_numpy(object)[year]),
    }


def _recovered(
    tokens: Sequence[str], guesses: Sequence[str], rebuild: Any = None
) -> dict[int, str]:
    """Addresses that an attacker reads off tokens: plain ones, guessed ones, rebuilt ones.

    ``rebuild`` makes the tokens of guesses, for an attacker who holds the key.
    """
    from ethicalai_lab.privacy.pseudonymization import dictionary_attack

    found = {i: token for i, token in enumerate(tokens) if "@" in token}
    if len(found) < len(tokens):
        found.update(dictionary_attack(tokens, guesses).recovered)
    if rebuild is not None:
        back = dict(zip(rebuild(list(guesses)), guesses, strict=True))
        found.update({i: back[token] for i, token in enumerate(tokens) if token in back})
    return found


def joined(left: Sequence[str], right: Sequence[str]) -> NDArray[np.bool_]:
    """Whose token in one list is found in the other, at that person's own place."""
    place = {token: i for i, token in enumerate(right)}
    return np.array([place.get(token) == i for i, token in enumerate(left)], dtype=bool)


def months_joined(
    context: EvaluationContext, settings: Mapping[str, Any], texts: list[str], use: str
) -> NDArray[np.int64]:
    """Count each person's pairs of months that one token joins."""
    by_version: dict[int, NDArray[np.str_]] = {}
    days = settings["pseudonymization.key_rotation_days"]
    keyed = settings["pseudonymization.method"] == "keyed"
    months = []
    for month in range(_MONTHS):
        # the middle of each month: what one token still says about the same person's others
        day = 15 + (month * _YEAR) // _MONTHS
        version = 0 if days is None or not keyed else day // int(days)
        if version not in by_version:
            by_version[version] = np.asarray(
                make_tokens(context, settings, texts, use=use, day=day)
            )
        months.append(by_version[version])
    linked = np.zeros(len(texts), dtype=np.int64)
    for one, other in itertools.combinations(months, 2):
        linked += one == other
    return linked


@stage(
    "pseudonymization.method",
    "pseudonymization.key_rotation_days",
    "pseudonymization.per_purpose",
    "pseudonymization.per_partner",
    "pseudonymization.key_holder",
)
def tokens(context: EvaluationContext, settings: Settings) -> Tokens:
    """Make tokens of real addresses and attack them: guess, join partners, join months."""
    book = context.once("address book", lambda: _address_book(context))
    people, addresses = book["people"], book["addresses"]

    made: dict[tuple[str, int], list[str]] = {}

    def at(purpose: str, partner: str) -> list[str]:
        key = (use_of(settings, purpose, partner), 0)
        if key not in made:
            made[key] = make_tokens(context, settings, addresses, use=key[0], day=0)
        return made[key]

    first = at(TOKEN_PURPOSES[0], PARTNERS[0])
    holder = settings["pseudonymization.key_holder"]
    has_key = holder in (None, "same_team")

    def rebuild(guesses: list[str]) -> list[str]:
        use = use_of(settings, TOKEN_PURPOSES[0], PARTNERS[0])
        return make_tokens(context, settings, guesses, use=use, day=0)

    def right(found: Mapping[int, str]) -> NDArray[np.bool_]:
        flags = np.zeros(len(people), dtype=bool)
        for i, address in found.items():
            flags[i] = address == addresses[i]
        return flags

    outside = _recovered(first, book["guesses"])
    keyed = settings["pseudonymization.method"] == "keyed"
    inside = _recovered(first, book["guesses"], rebuild) if has_key and keyed else outside

    use = use_of(settings, TOKEN_PURPOSES[0], PARTNERS[0])
    linked = months_joined(context, settings, book["year_addresses"], use)
    return Tokens(
        people,
        right(outside),
        right(inside),
        joined(first, at(TOKEN_PURPOSES[0], PARTNERS[1])),
        joined(first, at(TOKEN_PURPOSES[1], PARTNERS[0])),
        book["year"],
        linked,
        first[0],
    )


_TOKENS = "tokens really made of customers' addresses, joined with the world's truth"


@measure("privacy", "lower", "share of people", f"dictionary_attack on {_TOKENS}")
def reidentified_by_guessing(context: EvaluationContext, *, tokens: Tokens) -> Estimate:
    """Share of people whose address an outsider recovers from their token.

    The outsider holds the addresses of those customers who are in a public register, and
    others that belong to nobody, and has no key.
    """
    return share_of(context, tokens.people, tokens.guessed)


@measure(
    "privacy", "lower", "share of people", f"dictionary_attack with and without key on {_TOKENS}"
)
def reidentified_by_insider(context: EvaluationContext, *, tokens: Tokens) -> Estimate:
    """Share of people whose address somebody who works with the tokens recovers.

    The insider has the outsider's list, and the key as well where nobody keeps it apart from
    those who use the tokens.
    """
    return share_of(context, tokens.people, tokens.guessed_inside)


@measure("privacy", "lower", "share of people", f"joining two partners' lists of {_TOKENS}")
def linked_across_partners(context: EvaluationContext, *, tokens: Tokens) -> Estimate:
    """Share of people whose records two partners can join by their tokens."""
    return share_of(context, tokens.people, tokens.partners_linked)


@measure("privacy", "lower", "share of people", f"joining the lists of two purposes of {_TOKENS}")
def linked_across_purposes(context: EvaluationContext, *, tokens: Tokens) -> Estimate:
    """Share of people whose records for analytics and for marketing are joined by their tokens."""
    return share_of(context, tokens.people, tokens.purposes_linked)


@measure("privacy", "lower", "share of pairs of months", f"joining twelve months of {_TOKENS}")
def linked_over_the_year(context: EvaluationContext, *, tokens: Tokens) -> Estimate:
    """Share of a person's pairs of months that one unchanged token, or one stolen key, joins."""
    pairs = _MONTHS * (_MONTHS - 1) // 2
    return Ratio(
        _spread(context.n, tokens.year_people, tokens.months_linked),
        _spread(context.n, tokens.year_people, pairs),
    )


def share_of(context: EvaluationContext, people: NDArray[np.int64], flags: Any) -> Ratio:
    """Return the share of some people, by position, whom a flag marks."""
    return Ratio(_spread(context.n, people, flags), _spread(context.n, people, 1.0))


# -------------------------------------------------------------------------------- store

_STORE_PEOPLE = 200
_TEST_REQUESTS = 20
_LIVE, _BACKUP = "live", "backup"
_FILE = "customers.json"


@dataclass(frozen=True, eq=False)
class Store:
    """What lay in the files, what a thief and the house itself could read of it.

    Attributes
    ----------
    people : ndarray of int, shape (m,)
        Positions of the people whose records were written.
    stolen : ndarray of bool, shape (m,)
        Readable in a stolen copy of the files, without keys.
    erased : ndarray of int, shape (e,)
        Positions of those who asked to be erased, among them.
    still_readable : ndarray of bool, shape (e,)
        Whom the house can read after the erasure, in the live files or in the backup.
    requests : ndarray of int, shape (r,)
        Positions of all who asked.
    took_days : ndarray of int, shape (r,)
    late : ndarray of bool, shape (r,)
        Erased later than one month after the request.
    test_requests : bool
        True where nobody in the sample had asked, so that requests were made for the test.
    """

    people: NDArray[np.int64]
    stolen: NDArray[np.bool_]
    erased: NDArray[np.int64]
    still_readable: NDArray[np.bool_]
    requests: NDArray[np.int64]
    took_days: NDArray[np.int64]
    late: NDArray[np.bool_]
    test_requests: bool


class _Files:
    """A house's customer records in two folders, with the keys that the house holds.

    Parameters
    ----------
    root : path
        An empty folder.
    encryption : {"none", "at_rest", "per_person_key"}
    """

    def __init__(self, root: Path, encryption: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.root = root
        self.encryption = encryption
        self.key = AESGCM.generate_key(256)
        self.seal = AESGCM(self.key)
        (root / _LIVE).mkdir()

    # ---- writing
    def write(self, records: dict[int, dict[str, Any]]) -> None:
        """Store records by customer number, live."""
        if self.encryption == "per_person_key":
            from ethicalai_lab.privacy.vault import Vault

            table = pd.DataFrame(
                {"who": list(records), "record": [json.dumps(r) for r in records.values()]}
            )
            with Vault.create(self.root / _LIVE, self.key) as vault:
                vault.put_table(table, "who")
        else:
            self._dump(records)

    def _dump(self, records: Mapping[Any, Mapping[str, Any]]) -> None:
        plain = json.dumps({str(who): record for who, record in records.items()}).encode("utf-8")
        if self.encryption == "at_rest":
            nonce = os.urandom(12)
            plain = nonce + self.seal.encrypt(nonce, plain, None)
        (self.root / _LIVE / _FILE).write_bytes(plain)

    def back_up(self) -> None:
        """Keep a copy of everything that is stored, as of now."""
        shutil.copytree(self.root / _LIVE, self.root / _BACKUP)

    # ---- erasing
    def mark(self, people: Iterable[int]) -> None:
        """Hide people: a flag is set, and nothing else happens."""
        if self.encryption == "per_person_key":
            table = pd.DataFrame({"who": list(people), "inactive": True})
            if len(table):
                with self._vault(_LIVE) as vault:
                    vault.put_table(table, "who")
            return
        records = self._load(_LIVE)
        for who in people:
            records[who]["inactive"] = True
        self._dump(records)

    def delete(self, people: Iterable[int]) -> None:
        """Delete people's rows from the live files."""
        if self.encryption == "per_person_key":
            with self._vault(_LIVE) as vault:
                for who in people:
                    vault.erase(who)
                vault.purge()
            return
        gone = set(people)
        self._dump({who: r for who, r in self._load(_LIVE).items() if who not in gone})

    def destroy_keys(self, people: Iterable[int]) -> None:
        """Destroy people's keys, live and in every copy; without keys of their own, nothing."""
        if self.encryption != "per_person_key":
            return
        people = list(people)
        for part in (_LIVE, _BACKUP):
            with self._vault(part) as vault:
                for who in people:
                    vault.erase(who)

    # ---- reading
    def _vault(self, part: str) -> Any:
        from ethicalai_lab.privacy.vault import Vault

        return Vault.open(self.root / part, self.key)

    def _load(self, part: str) -> dict[int, dict[str, Any]]:
        raw = (self.root / part / _FILE).read_bytes()
        if self.encryption == "at_rest":
            raw = self.seal.decrypt(raw[:12], raw[12:], None)
        return {int(who): record for who, record in json.loads(raw).items()}

    def readable_by_house(self, people: Iterable[int]) -> set[int]:
        """Whom the house can read with its keys, live or in the backup, flags or not."""
        from ethicalai_lab.privacy.vault import VaultError

        found = set()
        for part in (_LIVE, _BACKUP):
            if self.encryption != "per_person_key":
                found |= set(self._load(part)) & set(people)
                continue
            with self._vault(part) as vault:
                for who in people:
                    try:
                        json.loads(vault.get(who, "record"))
                    except VaultError:
                        continue
                    found.add(who)
        return found

    def stolen(self) -> bytes:
        """Everything a thief without keys reads: the bytes, and what an attack makes of them."""
        from ethicalai_lab.privacy.vault import breach

        taken = []
        for part in (_LIVE, _BACKUP):
            folder = self.root / part
            taken += [path.read_bytes() for path in sorted(folder.iterdir())]
            if self.encryption == "per_person_key":
                values = breach(folder, ["data", "keys"])["values"]
                taken.append(json.dumps(values).encode("utf-8"))
        return b"\n".join(taken)


def _erase(files: _Files, how: str, people: list[int]) -> None:
    if how == "mark_inactive":
        files.mark(people)
    elif how == "delete_rows":
        files.delete(people)
    else:
        files.destroy_keys(people)


def _delays(
    context: EvaluationContext, requests: NDArray[np.int64], longest: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Days from request to erasure, and whether the month of Art 12(3) had passed.

    The house takes the time that it allows itself: any number of days up to it is equally
    likely. A month is a calendar month, not thirty days.
    """
    day = np.floor(context.chances("store.request_day", context.n)[requests] * _YEAR).astype(int)
    took = np.floor(context.chances("store.delay", context.n)[requests] * (longest + 1)).astype(int)
    asked = pd.Timestamp(f"{context.as_of.year - 1}-01-01") + pd.to_timedelta(day, unit="D")
    due = asked + pd.DateOffset(months=1)
    done = asked + pd.to_timedelta(took, unit="D")
    return took, np.asarray(done > due)


@stage("storage.encryption", "storage.erasure", "storage.erasure_days")
def store(context: EvaluationContext, settings: Settings, *, permission: Any) -> Store:
    """Write records to files, keep a backup, erase who asked, then try to read them."""
    people = context.sample("store", min(_STORE_PEOPLE, context.n))
    records = context.once("store records", lambda: context.records(people))
    asked = np.asarray(permission.erasure_requested, dtype=bool)
    erased = people[asked[people]]
    test = len(erased) == 0
    if test:
        erased = people[:_TEST_REQUESTS]
    numbers = [int(who) for who in context.ids[erased]]
    with tempfile.TemporaryDirectory(prefix="policy-store-") as folder:
        files = _Files(Path(folder), settings["storage.encryption"])
        files.write(records)
        files.back_up()
        _erase(files, settings["storage.erasure"], numbers)
        left = files.readable_by_house(numbers)
        bytes_taken = files.stolen()
    stolen = [record["email"].encode("utf-8") in bytes_taken for record in records.values()]
    requests = np.flatnonzero(asked) if asked.any() else erased
    took, late = _delays(context, requests, int(settings["storage.erasure_days"]))
    return Store(
        people,
        np.array(stolen, dtype=bool),
        erased,
        np.array([who in left for who in numbers], dtype=bool),
        requests,
        took,
        late,
        test,
    )


_STORE = "files of 200 customers' records, really written, backed up, erased and read back"


@measure("privacy", "lower", "share of people", f"vault.breach and a search of the bytes; {_STORE}")
def readable_if_stolen(context: EvaluationContext, *, store: Store) -> Estimate:
    """Share of people whose record a thief reads who took the files, and a backup, but no key."""
    return share_of(context, store.people, store.stolen)


@measure("privacy", "lower", "share of erased people", _STORE)
def readable_after_erasure(context: EvaluationContext, *, store: Store) -> Estimate:
    """Share of erased people whose record the house itself still reads, live or in the backup.

    Keys are destroyed in the backup's key file too; a copy that the house forgot is not seen.
    Where nobody asked to be erased, twenty people's requests were made for the test.
    """
    return share_of(context, store.erased, store.still_readable)


@measure(
    "duty", "lower", "share of requests", "days drawn up to what the policy allows; a calendar"
)
def erasures_late(context: EvaluationContext, *, store: Store) -> Estimate:
    """Share of erasure requests carried out later than one month after they came.

    One month is the deadline of GDPR Art 12(3). The house is taken to use the time that it
    allows itself, every number of days up to it being equally likely.
    """
    return share_of(context, store.requests, store.late)


STAGES, MEASURES = steps(globals())
