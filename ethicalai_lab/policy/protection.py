"""What protects people once their data is held: tokens, storage, releases, noise.

Every figure here is read off something that was really made: tokens that were computed,
files that were written and read back, a table that was released, counts with noise. The
attacks of the privacy room then run on it, and the world's truth says who was right.
"""

from __future__ import annotations

import hashlib
import json
import math
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

from ethicalai_lab.errors import did_you_mean
from ethicalai_lab.policy.context import EvaluationContext
from ethicalai_lab.policy.errors import PolicyError
from ethicalai_lab.policy.stages import (
    Estimate,
    Exact,
    Needs,
    Ratio,
    Settings,
    measure,
    stage,
    steps,
)
from ethicalai_lab.world import PURPOSES

__all__ = [
    "DETAIL",
    "MEASURES",
    "PARTNERS",
    "STAGES",
    "TOKEN_PEOPLE",
    "TOKEN_PURPOSES",
    "YEAR_PEOPLE",
    "Publication",
    "Release",
    "Store",
    "Tokens",
    "anonymized",
    "attacked",
    "joined",
    "make_tokens",
    "quasi_identifiers",
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

    # the middle of each month: what one token still says about the same person's other months
    use = use_of(settings, TOKEN_PURPOSES[0], PARTNERS[0])
    by_version: dict[int, NDArray[np.str_]] = {}
    days = settings["pseudonymization.key_rotation_days"]
    months = []
    for month in range(_MONTHS):
        day = 15 + (month * _YEAR) // _MONTHS
        version = 0 if days is None or not keyed else day // int(days)
        if version not in by_version:
            by_version[version] = np.asarray(
                make_tokens(context, settings, book["year_addresses"], use=use, day=day)
            )
        months.append(by_version[version])
    linked = np.zeros(len(book["year"]), dtype=np.int64)
    for one in range(_MONTHS):
        for other in range(one + 1, _MONTHS):
            linked += months[one] == months[other]
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


# ------------------------------------------------------------------------------ release

_ATTACKED = 300
_SHARING = PURPOSES.index("third_party_sharing")
#: What a public register tells about a person.
_KNOWN = ("age", "gender", "postcode")
DETAIL = ("age", "gender", "postcode", "recency", "history", "sports", "fashion")
_SECRET = "financial_stress"
_BANDS = ("low", "middle", "high")


@dataclass(frozen=True, eq=False)
class Release:
    """The table that a partner received, and what an attacker learned from it.

    Attributes
    ----------
    table : DataFrame or None
        None where nothing was released. Its index is the person's position, which only the
        judge knows.
    why_none : str
        Why nothing was released; empty otherwise.
    permitted : int
        People who may be in it.
    shared : ndarray of bool, shape (n,)
        Who is in it.
    attacked : ndarray of int, shape (a,)
        Positions of the customers whom the attacker knows from the register.
    named : ndarray of float, shape (a,)
        Chance that the attacker, naming one of the rows that fit, names the right one.
    revealed : ndarray of bool, shape (a,)
        Whether all rows that fit hold one secret, and it is the person's own.
    secret_right, secret_base : ndarray of bool, shape (a,)
        Whether the commonest secret among the rows that fit, and among all, is right.
    smallest_class : int
    unique : ndarray of bool, shape (n,)
    detail_kept : float
        1 minus the normalized certainty penalty.
    """

    table: pd.DataFrame | None
    why_none: str
    permitted: int
    shared: NDArray[np.bool_]
    attacked: NDArray[np.int64]
    named: NDArray[np.float64]
    revealed: NDArray[np.bool_]
    secret_right: NDArray[np.bool_]
    secret_base: NDArray[np.bool_]
    smallest_class: int
    unique: NDArray[np.bool_]
    detail_kept: float


def _full_table(context: EvaluationContext) -> pd.DataFrame:
    who = context.customers[list(_KNOWN)]
    did = context.campaign[["recency", "history", "sports", "fashion", "arm", "visit"]]
    stress = context.customers[_SECRET].to_numpy(float)
    band = np.digitize(stress, [1 / 3, 2 / 3])
    secret = pd.Categorical.from_codes(band, list(_BANDS), ordered=True)
    return pd.concat([who, did], axis=1).assign(**{_SECRET: secret})


def _register(context: EvaluationContext) -> dict[str, Any]:
    """Draw the register people whom the attacker tries, and say who they truly are."""
    from ethicalai_lab.privacy.attacks import age_at

    register = context.world.register
    identity = context.world.truth.identity.set_index("register_id")["customer_id"]
    customer = identity.reindex(register["register_id"]).fillna(-1).to_numpy(np.int64)
    position = context.rows_of(customer)
    inside = np.flatnonzero(position >= 0)
    chosen = np.sort(context.rng("release.attacked").permutation(inside)[:_ATTACKED])
    rows = register.iloc[chosen]
    known = pd.DataFrame(
        {
            "age": age_at(rows["birth_date"], context.as_of).to_numpy(),
            "gender": rows["gender"].to_numpy(object),
            "postcode": rows["postcode"].to_numpy(object),
        }
    )
    # one register person a customer; a second entry would count the person twice
    first = ~pd.Series(position[chosen]).duplicated().to_numpy()
    known = known[first].reset_index(drop=True)
    customers = context.customers[list(_KNOWN)].astype({"gender": object, "postcode": object})
    exact = pd.MultiIndex.from_frame(customers).isin(pd.MultiIndex.from_frame(known))
    return {"known": known, "position": position[chosen][first], "exact": exact}


def quasi_identifiers(context: EvaluationContext, decided: Sequence[str] | None) -> list[str]:
    """Columns to be generalised: those decided, or those that the world's roles name."""
    for name in decided or ():
        if name not in context.customers and name not in context.campaign:
            known = [n for n in (*context.customers, *context.campaign) if n != "customer_id"]
            raise PolicyError(
                f'anonymization.quasi_identifiers names the column "{name}", which this world '
                f"does not have; accepted are those of a release: {', '.join(DETAIL)}."
                f"{did_you_mean(name, known)}"
            )
    if decided is None:
        roles = [context.world.roles.get(name, {}) for name in ("customers", "register")]
        decided = [c for c in _KNOWN if any(r.get(c) == "quasi_identifier" for r in roles)]
    return [name for name in DETAIL if name in decided]


def anonymized(
    table: pd.DataFrame,
    settings: Mapping[str, Any],
    names: Sequence[str],
    columns: Sequence[str],
    secret: str | None,
) -> tuple[pd.DataFrame, float]:
    """Generalise the named columns of a table as asked; also the share of detail kept in all.

    Raises
    ------
    PrivacyError
        If no release satisfies what is asked.
    """
    from ethicalai_lab.privacy.anonymizer import KAnonymizer

    method = settings["anonymization.generalization"]
    k, l, t = (settings[f"anonymization.{name}"] for name in "klt")  # noqa: E741
    if method == "none" or not names or not (k > 1 or l > 1 or t < 1):
        return table, 1.0
    tool = KAnonymizer(
        max(int(k), 2),  # a class of one can neither be diverse nor close
        l=int(l) if l > 1 else None,
        t=float(t) if t < 1 else None,
        suppression=float(settings["anonymization.suppression"]),
        method=method,
        quasi_identifiers=list(names),
        sensitive=secret,
    )
    made = tool.fit_transform(table).set_axis(tool.kept_)  # to judge it
    if secret is not None:
        made[secret] = made[secret].cat.set_categories(table[secret].cat.categories)
    # columns that are not generalised lose only the rows that were left out
    missing = 1.0 - len(made) / len(table)
    lost = [tool.loss_.by_column.get(name, missing) for name in columns]
    return made, 1.0 - math.fsum(lost) / len(columns)


def attacked(
    table: pd.DataFrame,
    look: pd.DataFrame,
    known: pd.DataFrame,
    secret: str,
    position: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64], int]:
    """Look every known person up in a released table: rows that fit, and what they say.

    Parameters
    ----------
    table : DataFrame
        As released; its index is the person's position.
    look : DataFrame
        Those rows of it that can fit anybody at all.
    known : DataFrame
        What is known of each person attacked.
    secret : str
        A categorical column.
    position : ndarray of int
        Of each person attacked.

    Returns
    -------
    named, revealed, guess : ndarray
        Chance of naming the right row; whether all rows that fit hold the person's own secret;
        the secret guessed.
    common : int
        The secret that is commonest in the table.
    """
    from ethicalai_lab.privacy.attacks import fitting_rows

    m, levels = len(position), table[secret].cat.categories
    overall = np.bincount(table[secret].cat.codes, minlength=len(levels))
    common = int(overall.argmax())
    if not len(look) or not m:
        return np.zeros(m), np.zeros(m, dtype=bool), np.full(m, common), common
    fitting = fitting_rows(look, known, list(known.columns), secret, own=position)
    named = np.where(fitting.own_fits, 1.0 / np.maximum(fitting.rows, 1), 0.0)
    # of equally common secrets the one that is commoner among all; without a row, that of all
    guess = (fitting.counts + overall / (2 * overall.sum() + 1)).argmax(axis=1)
    own = look[secret].cat.codes.to_numpy(np.int64)[look.index.get_indexer(position)]
    one = (fitting.counts > 0).sum(axis=1) == 1
    return named, fitting.own_fits & one & (guess == own), guess, common


@stage(
    "anonymization.generalization",
    "anonymization.quasi_identifiers",
    "anonymization.k",
    "anonymization.l",
    "anonymization.t",
    "anonymization.suppression",
)
def release(context: EvaluationContext, settings: Settings, *, permission: Any) -> Release:
    """Hand a partner the table of those who may be shared, and link it with a public register."""
    from ethicalai_lab.privacy.errors import PrivacyError
    from ethicalai_lab.privacy.measures import class_sizes

    full = context.once("release table", lambda: _full_table(context))
    attackers = context.once("release register", lambda: _register(context))
    position = attackers["position"]
    may = np.flatnonzero(np.asarray(permission.practice)[_SHARING])
    names = quasi_identifiers(context, settings["anonymization.quasi_identifiers"])
    table, why, kept = None, "", 1.0
    before = full.iloc[may]
    if not len(may):
        why = "nobody's data may be shared"
    else:
        try:
            table, kept = anonymized(before, settings, names, DETAIL, _SECRET)
        except PrivacyError as error:
            why = str(error)
    shared = np.zeros(context.n, dtype=bool)
    unique = np.zeros(context.n, dtype=bool)
    truth = full[_SECRET].cat.codes.to_numpy(np.int64)[position]
    if table is None or not len(table):
        none = np.zeros(len(position), dtype=bool)
        why = why or "no row was left"
        return Release(
            None, why, len(may), shared, position, none * 0.0, none, none, none, 0, unique, 0.0
        )
    shared[table.index] = True
    alike = class_sizes(table, list(_KNOWN)).to_numpy()
    unique[table.index] = alike == 1
    # exact values fit nobody but their equals; no need to try the others
    look = table[attackers["exact"][table.index]] if table is before else table
    named, revealed, guess, common = attacked(table, look, attackers["known"], _SECRET, position)
    return Release(
        table,
        "",
        len(may),
        shared,
        position,
        named,
        revealed,
        guess == truth,
        common == truth,
        int(alike.min()),
        unique,
        kept,
    )


_RELEASE = "the released table, a public register and truth.identity"


@measure("privacy", "lower", "share of attacked customers", f"attacks: linkage of {_RELEASE}")
def reidentified_by_linkage(context: EvaluationContext, *, release: Release) -> Estimate:
    """Share of customers known from a public register whose row an attacker names rightly.

    The attacker knows age, gender and postcode and names one of the rows that fit, at random;
    customers who are not in the release cannot be found in it and count as not found.
    """
    return share_of(context, release.attacked, release.named)


@measure("privacy", "higher", "people", "privacy.class_sizes of the released table")
def smallest_class(context: EvaluationContext, *, release: Release) -> Estimate:
    """Fewest people in the release who look alike in age, gender and postcode (k)."""
    if release.table is None:
        return Needs(f"needs a release; none was made: {release.why_none}")
    return Exact(float(release.smallest_class))


@measure(
    "privacy", "lower", "share of people released", "privacy.class_sizes of the released table"
)
def unique_share(context: EvaluationContext, *, release: Release) -> Estimate:
    """Share of the people in the release who are alone in their age, gender and postcode."""
    if release.table is None:
        return Needs(f"needs a release; none was made: {release.why_none}")
    return Ratio(release.unique, release.shared)


@measure("privacy", "lower", "share of attacked customers", f"attacks: homogeneity in {_RELEASE}")
def secret_revealed(context: EvaluationContext, *, release: Release) -> Estimate:
    """Share of customers known from a register whose financial stress the release gives away.

    All rows that fit the person's age, gender and postcode hold the same band of it, and it
    is the person's own: no row need be singled out for that.
    """
    return share_of(context, release.attacked, release.revealed)


@measure("privacy", "lower", "share of attacked customers", f"attacks: inference from {_RELEASE}")
def secret_guessed(context: EvaluationContext, *, release: Release) -> Estimate:
    """How much oftener an attacker guesses a known customer's financial stress rightly.

    With the release: the commonest band among the rows that fit age, gender and postcode;
    without it: the band that is commonest of all.
    """
    gain = release.secret_right.astype(float) - release.secret_base.astype(float)
    return share_of(context, release.attacked, gain)


@measure("privacy", "lower", "share of customers", "rows of the released table")
def people_shared(context: EvaluationContext, *, release: Release) -> Estimate:
    """Share of all customers who have a row in the table that a partner received."""
    return Ratio(release.shared)


@measure("value", "higher", "share of detail", "KAnonymizer.loss_ (NCP) of the released table")
def release_detail_kept(context: EvaluationContext, *, release: Release) -> Estimate:
    """How exact the released values still are: 1 minus the normalized certainty penalty.

    Over seven columns and the rows of those who may be shared; 0 where nothing is released.
    """
    return Exact(release.detail_kept)


# -------------------------------------------------------------------------- publication

_WATCHED = 600
_DRAWS = 12
_T_11 = 2.200985  # the 97.5 % point of Student's t for twelve draws
_ANALYTICS = PURPOSES.index("analytics")


@dataclass(frozen=True, eq=False)
class Publication:
    """Monthly counts as published, and how well a person's presence is told from them.

    Attributes
    ----------
    counted : int
        People whose visits may be counted.
    true, published : ndarray of float, shape (12, segments)
        Visitors by month and segment; published is the first draw.
    error : ndarray of float, shape (draws,)
        Mean over all figures of their relative error, in each draw of the noise.
    expected_error : float
        The same, expected from the noise's distribution.
    watched : ndarray of int, shape (w,)
        Positions of the people whose presence an attacker guesses.
    right : ndarray of float, shape (w,)
        Share of right guesses, over draws, half of them with and half without the person.
    best : ndarray of float, shape (w,)
        The best that any attacker could do.
    spent : float or None
        Epsilon of one person over a year of publications; None without noise.
    """

    counted: int
    true: NDArray[np.float64]
    published: NDArray[np.float64]
    error: NDArray[np.float64]
    expected_error: float
    watched: NDArray[np.int64]
    right: NDArray[np.float64]
    best: NDArray[np.float64]
    spent: float | None


def _visits(context: EvaluationContext) -> dict[str, Any]:
    """Who was active in which month of the year before, and each person's segment."""
    events = context.world.events
    year = context.as_of.year - 1
    time = events["time"].dt
    person = context.rows_of(events["customer_id"])
    seen = (time.year.to_numpy() == year) & (person >= 0)
    active = np.zeros((_MONTHS, context.n), dtype=bool)
    active[time.month.to_numpy()[seen] - 1, person[seen]] = True
    age, ages = context.groups["age_band"]
    region = context.customers["region"].astype("category").cat
    segment = age * len(region.categories) + region.codes.to_numpy(np.int64)
    return {
        "active": active,
        "segment": segment,
        "segments": len(ages) * len(region.categories),
        "days": [
            (pd.Timestamp(year, month, 1) + pd.offsets.MonthEnd()).day_of_year - 1
            for month in range(1, _MONTHS + 1)
        ],
    }


def _epsilons(epsilon: float, period: int, days: Sequence[int]) -> tuple[float, float]:
    """Epsilon of one month's figures, and what a person's year of figures really spends.

    The budget of a period is divided by the most publications that fall into one period,
    and the year is then added up in the room's ledger, period by period.
    """
    from ethicalai_lab.privacy.noise import Budget

    years = math.ceil(period / _YEAR) + 1
    planned = [day + _YEAR * year for year in range(years) for day in days]
    most = int(np.bincount([day // period for day in planned]).max())
    each = epsilon / most
    ledgers: dict[int, Any] = {}
    for month, day in enumerate(days, start=1):
        ledger = ledgers.setdefault(day // period, Budget(epsilon, f"{period} days"))
        ledger.spend(each, f"visitors of month {month} by segment")
    return each, math.fsum(ledger.spent for ledger in ledgers.values())


def _best_guess(months: NDArray[np.int64], each: float | None) -> NDArray[np.float64]:
    """Best share of right guesses on people counted in so many months' figures.

    Each figure with two-sided geometric noise says "in" or "out" and is right with the chance
    `membership_bound`; the best attacker follows the majority.
    """
    if each is None:
        return np.where(months > 0, 1.0, 0.5)
    from ethicalai_lab.privacy.noise import membership_bound

    p = membership_bound(each)
    best = np.empty(_MONTHS + 1)
    for m in range(_MONTHS + 1):
        chance = [math.comb(m, j) * p**j * (1 - p) ** (m - j) for j in range(m + 1)]
        best[m] = math.fsum(
            c * (1.0 if 2 * j > m else 0.5 if 2 * j == m else 0.0) for j, c in enumerate(chance)
        )
    return best[months]


@stage("anonymization.epsilon", "anonymization.epsilon_days")
def publication(context: EvaluationContext, settings: Settings, *, permission: Any) -> Publication:
    """Publish monthly visitors by segment, with noise if asked, and guess who was counted."""
    from ethicalai_lab.privacy.noise import simulate_noise

    base = context.once("publication visits", lambda: _visits(context))
    may = np.asarray(permission.practice)[_ANALYTICS]
    watched = context.sample("publication", min(_WATCHED, context.n))
    active = base["active"] & may
    true = np.stack(
        [
            np.bincount(base["segment"][month], minlength=base["segments"]).astype(float)
            for month in active
        ]
    )
    epsilon = settings["anonymization.epsilon"]
    each = spent = None
    mine = active[:, watched].T
    if epsilon is None:
        noise = np.zeros((1, *true.shape))
        secrecy = np.zeros((1, *mine.shape))
    else:
        days = int(settings["anonymization.epsilon_days"])
        each, spent = _epsilons(float(epsilon), days, base["days"])
        seeds = context.rng("publication.noise").integers(0, 2**31, 2).tolist()
        noise = simulate_noise(1.0 / each, (_DRAWS, *true.shape), seeds[0]).astype(float)
        secrecy = simulate_noise(1.0 / each, (_DRAWS, *mine.shape), seeds[1]).astype(float)
    published = true + noise
    right = _told_apart(published_minus_others=secrecy + 1, mine=mine, present=True)
    right = (right + _told_apart(published_minus_others=secrecy, mine=mine, present=False)) / 2
    months = mine.sum(axis=1)
    return Publication(
        int(may.sum()),
        true,
        published[0],
        (np.abs(noise) / np.maximum(true, 1.0)).mean(axis=(1, 2)),
        _expected_size(each) * float((1.0 / np.maximum(true, 1.0)).mean()),
        watched,
        right,
        _best_guess(months, each),
        spent,
    )


def _expected_size(each: float | None) -> float:
    """Mean size of two-sided geometric noise that spends an epsilon (Ghosh et al. 2009)."""
    return 0.0 if each is None else 1.0 / math.sinh(each)


def _told_apart(
    *, published_minus_others: NDArray[np.float64], mine: NDArray[np.bool_], present: bool
) -> NDArray[np.float64]:
    """Share of draws in which the attacker, who knows everybody else, says the truth.

    A figure above what the others add up to speaks for "in", any other for "out"; the months
    in which the person would be counted vote, and a tie is a coin.
    """
    votes = np.where(published_minus_others >= 1, 1, -1)
    score = np.where(mine, votes, 0).sum(axis=-1)
    says_in = np.where(score == 0, 0.5, (score > 0).astype(float))
    return (says_in if present else 1.0 - says_in).mean(axis=0)


@measure("privacy", "lower", "share of guesses", "attack on published counts, simulate_noise")
def presence_guessed(context: EvaluationContext, *, publication: Publication) -> Estimate:
    """Share of right guesses whether a customer's visits are in the published monthly counts.

    The attacker knows all others' visits and when the customer would have come; 0.5 is no
    better than a coin. The truth is what the best possible attacker would reach.
    """
    reading = share_of(context, publication.watched, publication.right)
    # without noise the attacker is the best possible one: that is no test of the value
    truth = None if publication.spent is None else float(publication.best.mean())
    return Ratio(reading.top, reading.bottom, truth)


@measure(
    "value",
    "lower",
    "relative error",
    "published counts against counts without noise, twelve draws; truth: the noise's distribution",
)
def published_error(context: EvaluationContext, *, publication: Publication) -> Estimate:
    """Mean relative error that noise brings into monthly visitor counts by age and region."""
    if not publication.counted:
        return Needs("needs people whose visits may be counted")
    draws, truth = publication.error, publication.expected_error
    value = float(draws.mean())
    if len(draws) < 2:
        return Exact(value)  # no noise, no error: nothing to hold against a truth
    reach = _T_11 * float(draws.std(ddof=1)) / math.sqrt(len(draws))
    return Exact(value, max(0.0, value - reach), value + reach, truth, over="draws of the noise")


@measure("privacy", "lower", "epsilon per person and year", "privacy.noise.Budget, twelve months")
def loss_budget_spent(context: EvaluationContext, *, publication: Publication) -> Estimate:
    """Epsilon that a year of monthly counts really spends of each person's privacy.

    A budget that is renewed often adds up to a large one.
    """
    if publication.spent is None:
        return Needs("needs noise: without it the privacy loss has no bound")
    return Exact(publication.spent)


STAGES, MEASURES = steps(globals())
