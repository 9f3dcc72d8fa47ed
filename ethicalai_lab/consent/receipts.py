"""Receipts: what a person has consented to, in the terms of ISO/IEC TS 27560."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ethicalai_lab.consent.purposes import Purpose, Purposes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["receipt"]

CONTROLLER = "shop"


def receipt(
    person: int,
    at: np.datetime64,
    past: pd.DataFrame,
    permitted: pd.Series,
    purposes: Purposes,
    notices: Mapping[str, str | None],
) -> dict[str, Any]:
    """Return a receipt; see :meth:`ConsentLedger.receipt`.

    Parameters
    ----------
    person : int
    at : datetime64
    past : DataFrame
        The person's events up to then, from :meth:`ConsentLedger.history`.
    permitted : Series of bool
        By purpose.
    purposes : Purposes
    notices : mapping of str to str or None
        The wording of each notice, by version; None where it was not kept.
    """
    processing = []
    for name, purpose in purposes.items():
        events = past[past["purpose"] == name]
        if len(events):
            told = _processing(purpose, purposes, events, notices)
            processing.append({**told, "permitted_now": bool(permitted[name])})
    body = {
        "schema_version": "ISO/IEC TS 27560:2023",
        "record_id": f"consent-{int(past['seq'].iloc[0])}-{int(past['seq'].max())}",
        "pii_principal_id": person,
        "issued": str(at.astype("datetime64[s]")) + "Z",
        "pii_processing": processing,
        "party_identification": [
            {"party_id": CONTROLLER, "party_type": "pii_controller"},
            {"party_id": "pii_principal", "party_type": "pii_principal"},
        ],
    }
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return {**body, "sha256": _sha256(canonical)}


def _processing(
    purpose: Purpose, purposes: Purposes, events: pd.DataFrame, notices: Mapping[str, str | None]
) -> dict[str, Any]:
    last = events.iloc[-1]
    text = notices[last["notice_version"]]
    basis = purpose.basis[last["regime"]]
    european = last["regime"] == "gdpr"
    return {
        "privacy_notice": last["notice_version"],
        "privacy_notice_sha256": None if text is None else _sha256(text),
        "purpose": purpose.title,
        "purpose_type": f"https://w3id.org/dpv#{purpose.dpv}",
        # only the GDPR lists bases; elsewhere there is a model of choice
        "lawful_basis": basis if european else None,
        "model_of_choice": None if european else basis,
        "pii_information": [
            {"pii_type": kind, "sensitive_pii_category": purposes.categories[kind].sensitive}
            for kind in purpose.data
        ],
        "collection_method": last["source"],
        "retention_period": f"P{purpose.retention_days}D",
        "recipient_third_parties": [name for name in purpose.recipients if name != CONTROLLER],
        "withdrawal_method": "preference_centre",
        "privacy_rights": ["access", "erasure", "portability", "object", "withdraw"],
        "jurisdiction": last["regime"],
        "event": [
            {
                "event_time": event.time.isoformat() + "Z",
                "event_type": event.action,
                "event_state": "given" if event.action == "grant" else "refused",
                "entity_id": "pii_principal",
            }
            for event in events.itertuples()
        ],
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
