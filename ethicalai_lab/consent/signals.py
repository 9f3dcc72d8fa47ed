"""Any consent signal, told apart by its form and read."""

from __future__ import annotations

from typing import Any

from ethicalai_lab.consent import gpc, gpp, tcf, usprivacy
from ethicalai_lab.consent.errors import SignalError
from ethicalai_lab.core.checks import checked

__all__ = ["decode"]


@checked(SignalError)
def decode(text: str) -> dict[str, Any]:
    """Read a TC string, a GPP string, a US Privacy string or a GPC header.

    Parameters
    ----------
    text : str
        The header with its name, as in ``Sec-GPC: 1``.

    Returns
    -------
    dict
        Plain values: ``signal`` names the form; a field by its specification's name; of a GPP
        string each section's fields, or its text where it is not read; ``problems``, where
        the framework's rules are broken.

    Raises
    ------
    SignalError
        If the form is none of these, or the signal is malformed.

    Examples
    --------
    >>> decode("1YYN")
    {'signal': 'US Privacy string', 'version': 1, 'notice': 'Y', 'optOutSale': 'Y', \
'lspaCovered': 'N'}
    >>> decode("DBABTA~1YNN")["sections"]["uspv1"]["optOutSale"]
    'N'
    """
    text = text.strip()
    name, colon, value = text.partition(":")
    if colon and name.strip().lower() == "sec-gpc":
        return {"signal": "Global Privacy Control", "optOut": gpc.read({"Sec-GPC": value})}
    if text.startswith(("B", "C")):
        signal = tcf.decode(text)
        return {"signal": "TC string", **signal, "problems": list(signal.problems)}
    if text.startswith("D"):
        carrier = gpp.decode(text)
        sections = {name: _section(name, part) for name, part in carrier.raw.items()}
        return {"signal": "GPP string", "version": carrier.version, "sections": sections}
    if text.startswith("1"):
        return {"signal": "US Privacy string", **usprivacy.decode(text)._asdict()}
    raise SignalError(
        "The text begins like no consent signal that is read; accepted are a TC string (C...), a "
        "GPP string (D...), a US Privacy string (1YNN) and a header (Sec-GPC: 1)."
    )


def _section(name: str, text: str) -> Any:
    if name not in ("tcfeuv2", "uspv1", *gpp.LAYOUTS):
        return text
    fields = gpp.decode_section(name, text)
    return fields._asdict() if name == "uspv1" else dict(fields)
