"""Replacing what names a person by a token, and what breaks weak ways of doing so.

A pseudonym is a safeguard, not an exit: whoever holds the key, or can rebuild the token,
still holds personal data (GDPR Art 4(5), Recital 26).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import string
import time
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ethicalai_lab.core.files import clear_leftovers, lock_of, locked, replace_file
from ethicalai_lab.core.identity import person_keys
from ethicalai_lab.core.times import read_times
from ethicalai_lab.privacy.errors import PrivacyError
from ethicalai_lab.stats import Interval, proportion_interval

__all__ = [
    "DictionaryAttack",
    "PartnerLinkage",
    "Pseudonymizer",
    "RotationBill",
    "TokenVault",
    "dictionary_attack",
    "expand_pattern",
    "hash_values",
    "link_partners",
    "new_key",
    "normalize",
    "rotation_bill",
]

_ALGORITHMS = ("md5", "sha1", "sha256", "sha512")


def new_key() -> bytes:
    """Draw a 256-bit key from the operating system.

    Returns
    -------
    bytes
        32 random bytes; no seed, for a key that can be drawn again is no key.

    References
    ----------
    NIST SP 800-133, "Recommendation for cryptographic key generation".

    Examples
    --------
    >>> from ethicalai_lab.privacy.pseudonymization import new_key
    >>> len(new_key())
    32
    """
    return secrets.token_bytes(32)


def normalize(values: Iterable[Any]) -> list[str]:
    r"""Write values alike before they are hashed: no outer blanks, one case, one encoding.

    ``Ada@Example.org `` and ``ada@example.org`` are one person, and so are 7 and the 7.0 that
    a column with gaps makes of it; without this they get two tokens.

    Parameters
    ----------
    values : iterable
        Texts or whole numbers.

    Returns
    -------
    list of str

    Raises
    ------
    PrivacyError
        If a value is missing, or neither a text nor a whole number; its position is named.

    References
    ----------
    Unicode Standard, section 3.13 (case folding); Annex 15 (Normalization Form C).

    Examples
    --------
    >>> from ethicalai_lab.privacy.pseudonymization import normalize
    >>> normalize([" Ada@Example.org"])
    ['ada@example.org']
    >>> normalize([7, 7.0, "Zoe\u0308"])
    ['7', '7', 'zoë']
    """
    if not isinstance(values, str | pd.Series | np.ndarray):
        values = list(values)
    keys = person_keys(values, "the value", where="number {}".format, error=PrivacyError)
    return [_folded(key) for key in keys]


def _folded(text: str) -> str:
    folded = text.strip().casefold()
    # folding can take composed letters apart again
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)


def _check_key(key: Any, name: str = "key") -> bytes:
    if not isinstance(key, (bytes, bytearray)) or len(key) < 16:
        size = f"{len(key)} bytes" if isinstance(key, (bytes, bytearray)) else type(key).__name__
        raise PrivacyError(f"{name} is {size}; 16 bytes or more are accepted, see new_key().")
    return bytes(key)


class Pseudonymizer:
    """Keyed tokens (HMAC-SHA-256), separate for each purpose, that can be rotated.

    One master key serves several purposes without letting their tables be joined: each
    purpose and version has a key of its own, derived in one step.

    Parameters
    ----------
    key : bytes
        Master key, 16 bytes or more (see :func:`new_key`). Keep it apart from the data.
    purpose : str
        What the tokens are for, such as ``"analytics"``.
    version : int, default 1
        Raised by :meth:`rotate`.
    bits : int, default 128
        Length of a token, 64 to 256, a multiple of 8.

    References
    ----------
    RFC 2104 (HMAC); RFC 5869 (HKDF, whose expand step derives the keys); ENISA,
    "Pseudonymisation techniques and best practices", 2019.

    Examples
    --------
    >>> from ethicalai_lab.privacy.pseudonymization import Pseudonymizer
    >>> mail = Pseudonymizer(b"0" * 32, "analytics")
    >>> mail.tokens(["ada@example.org"]) == mail.tokens([" ADA@example.org"])
    True
    >>> mail.tokens(["ada@example.org"]) == mail.rotate().tokens(["ada@example.org"])
    False
    """

    def __init__(self, key: bytes, purpose: str, *, version: int = 1, bits: int = 128) -> None:
        self._master = _check_key(key)
        if not isinstance(purpose, str) or not purpose.strip():
            raise PrivacyError(f"purpose is {purpose!r}; a text such as 'analytics' is accepted.")
        if not isinstance(version, int) or version < 1:
            raise PrivacyError(f"version is {version!r}; a whole number from 1 on is accepted.")
        if bits not in range(64, 257, 8):
            raise PrivacyError(f"bits is {bits!r}; a multiple of 8 from 64 to 256 is accepted.")
        self.purpose = purpose
        self.version = version
        self.bits = bits
        self._token_key = self._derive("token")
        self._display_key = self._derive("display")

    def __repr__(self) -> str:
        return f"Pseudonymizer(purpose={self.purpose!r}, version={self.version}, bits={self.bits})"

    def _derive(self, use: str) -> bytes:
        # HKDF-Expand, first block; lengths in front, so that no two inputs share a text
        info = json.dumps(["ethicalai-lab", use, self.purpose, self.version]).encode("utf-8")
        return hmac.digest(self._master, info + b"\x01", "sha256")

    def rotate(self) -> Pseudonymizer:
        """Return the next version: same people, new tokens that match none of the old."""
        return Pseudonymizer(self._master, self.purpose, version=self.version + 1, bits=self.bits)

    def tokens(self, values: Iterable[Any]) -> Any:
        """Tokens of values, after :func:`normalize`.

        Parameters
        ----------
        values : iterable of str
            A Series gives a Series on the same index.

        Returns
        -------
        list of str, or pandas.Series
            Lower-case base32, ``bits / 5`` characters rounded up.
        """
        size = self.bits // 8
        out = [
            base64.b32encode(hmac.digest(self._token_key, v.encode("utf-8"), "sha256")[:size])
            .decode("ascii")
            .rstrip("=")
            .lower()
            for v in normalize(values)
        ]
        if isinstance(values, pd.Series):
            return pd.Series(out, index=values.index, name=values.name)
        return out

    def display(self, values: Iterable[Any]) -> Any:
        """Stand-ins that look like the original: letters for letters, digits for digits.

        For screens and test systems. Length, case and punctuation stay, so they tell
        something about the original, and two people can get the same stand-in: never
        join on them.

        Parameters
        ----------
        values : iterable
            Texts or whole numbers.

        Returns
        -------
        list of str, or pandas.Series
        """
        number = partial(person_keys, name="the value", error=PrivacyError)
        out = [self._stand_in(v if isinstance(v, str) else number(v)[0]) for v in values]
        if isinstance(values, pd.Series):
            return pd.Series(out, index=values.index, name=values.name)
        return out

    def _stand_in(self, text: str) -> str:
        stream, block = b"", 0
        key = _folded(unicodedata.normalize("NFC", text)).encode("utf-8")
        while len(stream) < 2 * len(text):
            stream += hmac.digest(self._display_key, block.to_bytes(4, "big") + key, "sha256")
            block += 1
        made = []
        for i, character in enumerate(text):
            draw = int.from_bytes(stream[2 * i : 2 * i + 2], "big")
            if character.isdecimal():
                made.append(string.digits[draw % 10])
            elif character.isalpha():
                letter = string.ascii_lowercase[draw % 26]
                made.append(letter.upper() if character.isupper() else letter)
            else:
                made.append(character)
        return "".join(made)


@dataclass
class TokenVault:
    """Random tokens and the table that leads back: no key to guess, one file to guard.

    Examples
    --------
    >>> from ethicalai_lab.privacy.pseudonymization import TokenVault
    >>> vault = TokenVault()
    >>> token = vault.tokenize(["ada@example.org"])[0]
    >>> vault.detokenize([token])
    ['ada@example.org']
    >>> vault.forget(["ada@example.org"])
    1
    """

    _to_token: dict = field(default_factory=dict, repr=False)
    _to_value: dict = field(default_factory=dict, repr=False)
    _seen: dict = field(default_factory=dict, repr=False)  # file -> digest read or written

    def __len__(self) -> int:
        return len(self._to_token)

    def tokenize(self, values: Iterable[Any]) -> list[str]:
        """Return the token of each value (normalized); new values get a new random one."""
        out = []
        for value in normalize(values):
            token = self._to_token.get(value)
            if token is None:
                token = secrets.token_hex(16)
                self._to_token[value] = token
                self._to_value[token] = value
            out.append(token)
        return out

    def detokenize(self, tokens: Iterable[str]) -> list[str]:
        """Return the value of each token; refuses a token it does not know."""
        out = []
        for i, token in enumerate(tokens):
            if token not in self._to_value:
                raise PrivacyError(
                    f"tokens: number {i} ({str(token)[:8]}...) is not in the vault: another "
                    "vault's, or forgotten."
                )
            out.append(self._to_value[token])
        return out

    def forget(self, values: Iterable[Any]) -> int:
        """Delete people: their tokens lead nowhere from now on. Returns how many there were.

        A file that was saved before still holds them, until :meth:`save` writes it anew.
        """
        wanted = set(normalize(values)) & self._to_token.keys()
        for token in [t for t, value in self._to_value.items() if value in wanted]:
            del self._to_value[token]
        for value in wanted:
            del self._to_token[value]
        return len(wanted)

    def save(self, path: str | Path) -> None:
        """Write the vault to a file, in one step; a new one only its owner may read.

        Raises
        ------
        PrivacyError
            If the file is another vault's, or was written by somebody else since this vault
            was read from it: their tokens would be lost, and people they forgot be back.
        """
        path = Path(path)
        if path.exists() and not path.is_file():
            raise PrivacyError(f"{path.name} is no file; give the name of a file to write.")
        content = json.dumps(
            {"format": "ethicalai-lab token vault", "tokens": self._to_value}
        ).encode("utf-8")
        try:
            with locked(lock_of(path)):
                target = path.resolve()
                if target.exists() and self._seen.get(target) != _digest(target.read_bytes()):
                    raise PrivacyError(
                        f"{path.name} is not what this vault read or wrote there; load it first, "
                        "or choose another name. Nothing was changed."
                    )
                replace_file(path, content, private=True)
                self._seen[target] = _digest(content)
        except OSError as problem:
            raise PrivacyError(
                f"{path.name} cannot be written ({problem.strerror or problem}); nothing was "
                "changed."
            ) from None

    @classmethod
    def load(cls, path: str | Path) -> TokenVault:
        """Read a vault; refuses a file that is no whole token vault."""
        path = Path(path)
        clear_leftovers(path)  # of a save that was killed: it may hold who is forgotten
        try:
            raw = path.read_bytes()
            content = json.loads(raw)
            if content["format"] != "ethicalai-lab token vault":
                raise KeyError
            tokens = dict(content["tokens"])
            back = dict(zip(tokens, normalize(tokens.values()), strict=True))
        except FileNotFoundError:
            raise PrivacyError(f"{path.name}: there is no such token vault.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise PrivacyError(
                f"{path.name} is no whole token vault (cut short, or another file); one written "
                "by TokenVault.save is accepted."
            ) from None
        return cls({v: t for t, v in back.items()}, back, {path.resolve(): _digest(raw)})


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---- attacks on weak pseudonyms ------------------------------------------------------------


def _hasher(algorithm: str):
    if algorithm not in _ALGORITHMS:
        raise PrivacyError(
            f"algorithm is {algorithm!r}; one of {', '.join(_ALGORITHMS)} is accepted."
        )
    return getattr(hashlib, algorithm)


def hash_values(
    values: Iterable[Any], *, algorithm: str = "sha256", salt: bytes | Sequence[bytes] = b""
) -> list[str]:
    """Hash values without a key, the way customer lists are often "made anonymous".

    Parameters
    ----------
    values : iterable of str
        Normalized first.
    algorithm : {'md5', 'sha1', 'sha256', 'sha512'}
    salt : bytes, or one bytes a value
        Put in front. A salt that travels with the data is no secret.

    Returns
    -------
    list of str
        Hexadecimal digests.

    Raises
    ------
    PrivacyError
        If the algorithm is unknown, a value is missing, or the salts are too few.

    References
    ----------
    FTC Office of Technology, "No, hashing still doesn't make your data anonymous", 2024.

    Examples
    --------
    >>> from ethicalai_lab.privacy.pseudonymization import hash_values
    >>> hash_values(["123-456-7890"], algorithm="md5")
    ['2813448ce6316cb70b38fa29c8c64130']
    """
    make = _hasher(algorithm)
    texts = normalize(values)
    salts = _salts(salt, len(texts))
    return [make(s + v.encode("utf-8")).hexdigest() for s, v in zip(salts, texts, strict=True)]


def _salts(salt: bytes | Sequence[bytes], n: int) -> list[bytes]:
    if isinstance(salt, (bytes, bytearray)):
        return [bytes(salt)] * n
    salts = [bytes(s) for s in salt]
    if len(salts) != n:
        raise PrivacyError(
            f"salt: there are {len(salts)} salts for {n} values; one each is needed."
        )
    return salts


def expand_pattern(pattern: str, limit: int = 10_000_000) -> list[str]:
    """Write out every value of a pattern: ``#`` stands for any digit.

    Parameters
    ----------
    pattern : str
        Such as ``"+44 7700 900###"``.
    limit : int
        Most values to write out.

    Returns
    -------
    list of str

    Raises
    ------
    PrivacyError
        If there is no ``#`` or there would be more values than the limit.

    References
    ----------
    Demir et al., "The pitfalls of hashing for privacy", IEEE Communications Surveys 2018.

    Examples
    --------
    >>> from ethicalai_lab.privacy.pseudonymization import expand_pattern
    >>> len(expand_pattern("+44 7700 900###"))
    1000
    """
    free = pattern.count("#")
    if not free or 10**free > limit:
        raise PrivacyError(
            f"pattern {pattern!r} stands for {10**free:,} values; between 10 and {limit:,} are "
            "accepted."
        )
    head, *tails = pattern.split("#")
    out = [head]
    for tail in tails:
        out = [f"{start}{digit}{tail}" for start in out for digit in range(10)]
    return out


@dataclass(frozen=True)
class DictionaryAttack:
    """What guessing recovered.

    Attributes
    ----------
    hit_rate : Interval
        Share of the hashes that were reversed (Wilson).
    guesses : int
        Hashes computed.
    seconds : float
        Wall-clock time of the guessing.
    recovered : dict
        Position in the input to the value found.
    """

    hit_rate: Interval
    guesses: int
    seconds: float
    recovered: dict = field(repr=False)

    @property
    def guesses_per_second(self) -> float:
        """Guesses a second on this machine, one core."""
        return self.guesses / max(self.seconds, 1e-9)


def dictionary_attack(
    hashes: Sequence[str],
    candidates: Iterable[Any],
    *,
    algorithm: str = "sha256",
    salt: bytes | Sequence[bytes] = b"",
) -> DictionaryAttack:
    """Reverse hashes by hashing every likely value and comparing.

    One pass over the candidates attacks *all* hashes when there is no salt or one salt for
    all; a salt for each record forces one pass a record, and no more than that.

    Parameters
    ----------
    hashes : sequence of str
        Hexadecimal digests (or keyed tokens, which this cannot reverse).
    candidates : iterable of str
        What the values could be; normalized first.
    algorithm : {'md5', 'sha1', 'sha256', 'sha512'}
    salt : bytes, or one bytes a hash
        As published beside the data.

    Returns
    -------
    DictionaryAttack

    Raises
    ------
    PrivacyError
        If there are no hashes or no candidates, or the algorithm is unknown.

    References
    ----------
    Demir et al., "The pitfalls of hashing for privacy", IEEE Communications Surveys 2018.

    Examples
    --------
    >>> from ethicalai_lab.privacy.pseudonymization import (
    ...     dictionary_attack, expand_pattern, hash_values)
    >>> stolen = hash_values(["+44 7700 900123"])
    >>> dictionary_attack(stolen, expand_pattern("+44 7700 900###")).recovered
    {0: '+44 7700 900123'}
    """
    make = _hasher(algorithm)
    hashes = [str(h) for h in hashes]
    guesses = [v.encode("utf-8") for v in normalize(candidates)]
    if not hashes or not guesses:
        raise PrivacyError("hashes and candidates must both hold at least one value.")
    shared = isinstance(salt, (bytes, bytearray))
    salts = _salts(salt, len(hashes))
    recovered: dict[int, str] = {}
    made = 0
    start = time.perf_counter()
    if shared:
        wanted: dict[str, list[int]] = {}
        for i, h in enumerate(hashes):
            wanted.setdefault(h, []).append(i)
        for guess in guesses:
            made += 1
            for i in wanted.get(make(salts[0] + guess).hexdigest(), ()):
                recovered[i] = guess.decode("utf-8")
    else:
        for i, (h, s) in enumerate(zip(hashes, salts, strict=True)):
            for guess in guesses:
                made += 1
                if make(s + guess).hexdigest() == h:
                    recovered[i] = guess.decode("utf-8")
                    break
    seconds = time.perf_counter() - start
    return DictionaryAttack(
        proportion_interval(len(recovered), len(hashes)), made, seconds, recovered
    )


@dataclass(frozen=True)
class PartnerLinkage:
    """How well two partners' token tables could be joined.

    Attributes
    ----------
    matched : int
        Pairs of records with equal tokens.
    correct : int
        Those that are the same person.
    shared_people : int
        People who are in both tables.
    """

    matched: int
    correct: int
    shared_people: int

    @property
    def recall(self) -> Interval:
        """Share of the people in both tables who were joined."""
        return proportion_interval(self.correct, self.shared_people)

    @property
    def precision(self) -> Interval:
        """Share of the joined pairs that are the same person."""
        return proportion_interval(self.correct, self.matched)


def link_partners(left: pd.Series, right: pd.Series) -> PartnerLinkage:
    """Join two partners' tables on their tokens and score it against the truth.

    Parameters
    ----------
    left, right : pandas.Series of str
        Tokens, one a person; the index says who it truly is (the judge's knowledge, not
        the attacker's).

    Returns
    -------
    PartnerLinkage

    Raises
    ------
    PrivacyError
        If an index names somebody twice.

    References
    ----------
    Article 29 Working Party, Opinion 05/2014 (WP216), section 4: linkability.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.pseudonymization import Pseudonymizer, link_partners
    >>> people = pd.Series(["ada@example.org"], index=[1])
    >>> one, two = (Pseudonymizer(k * 32, "ads").tokens(people) for k in (b"1", b"2"))
    >>> link_partners(one, one).recall.value, link_partners(one, two).recall.value
    (1.0, 0.0)
    """
    for name, side in (("left", left), ("right", right)):
        if not side.index.is_unique:
            twice = side.index[side.index.duplicated()][0]
            raise PrivacyError(f"{name}: person {twice!r} occurs twice; one token a person.")
    a = pd.DataFrame({"token": left.to_numpy(), "who": left.index})
    b = pd.DataFrame({"token": right.to_numpy(), "who": right.index})
    pairs = a.merge(b, on="token", suffixes=("_left", "_right"))
    correct = int((pairs["who_left"] == pairs["who_right"]).sum())
    return PartnerLinkage(len(pairs), correct, len(left.index.intersection(right.index)))


@dataclass(frozen=True)
class RotationBill:
    """What changing the key every so often keeps, and what it takes from a thief.

    Attributes
    ----------
    joins_kept : Interval
        Share of repeat events that carry the same token as the person's event before, so
        that somebody without the key can still join the two.
    exposed : Interval
        Share of the events after a theft that carry the stolen tokens still.
    """

    joins_kept: Interval
    exposed: Interval


def rotation_bill(
    people: pd.Series,
    times: pd.Series,
    *,
    days: int | None,
    start: Any,
    stolen: Any,
) -> RotationBill:
    """Count what a rotation of the key every `days` days means for a table of events.

    Two events of one person carry the same token exactly when they fall into the same
    version of the key, so no token need be made to count them.

    Parameters
    ----------
    people, times : pandas.Series
        Who, and when; one row an event. Times without a zone count as UTC.
    days : int or None
        Days that a version of the key lasts; None never rotates.
    start, stolen : timestamp-like
        When the first version began, and when the tokens of the moment were stolen.

    Returns
    -------
    RotationBill

    Raises
    ------
    PrivacyError
        If `days` is no whole number from 1 on, an event lies before `start`, or there is
        no repeat event or none after the theft.

    References
    ----------
    ENISA, "Pseudonymisation techniques and best practices", 2019.

    Examples
    --------
    >>> import pandas as pd
    >>> from ethicalai_lab.privacy.pseudonymization import rotation_bill
    >>> times = pd.Series(pd.to_datetime(["2025-01-05", "2025-01-25", "2025-02-20"]))
    >>> bill = rotation_bill(
    ...     pd.Series([7, 7, 7]), times, days=31, start="2025-01-01", stolen="2025-01-20")
    >>> bill.joins_kept.value, bill.exposed.value
    (0.5, 0.5)
    """
    if days is not None and (not isinstance(days, int) or isinstance(days, bool) or days < 1):
        raise PrivacyError(f"days is {days!r}; a whole number from 1 on, or None, is accepted.")
    start, stolen = (
        pd.Timestamp(read_times(moment, name, error=PrivacyError)[0])
        for moment, name in ((start, "start"), (stolen, "stolen"))
    )
    keys = person_keys(people, "people", missing=True, error=PrivacyError)
    moments = read_times(times, "times", missing=True, error=PrivacyError)
    if len(keys) != len(moments):
        raise PrivacyError(f"people has {len(keys)} rows and times {len(moments)}; as many each.")
    table = pd.DataFrame({"who": pd.factorize(keys)[0], "time": moments})
    table = table.sort_values(["who", "time"], kind="stable")
    if (table["who"] < 0).any() or table["time"].isna().any() or (table["time"] < start).any():
        raise PrivacyError(
            f"times: every event needs a person and a time from {start:%Y-%m-%d} on."
        )
    age = (table["time"] - start).dt.days
    version = age * 0 if days is None else age // days
    repeat = table["who"].duplicated()
    after = table["time"] >= stolen
    if not repeat.any() or not after.any():
        raise PrivacyError("there must be a repeat event, and an event after the theft.")
    same = (version == version.shift())[repeat]
    of_theft = 0 if days is None else (stolen - start).days // days
    caught = (version == of_theft)[after]
    return RotationBill(
        proportion_interval(int(same.sum()), len(same)),
        proportion_interval(int(caught.sum()), len(caught)),
    )
