"""Evidence on whether a choice is as easy to refuse as to accept.

The rows are measurements for a person to weigh; nothing here is a legal judgement.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ethicalai_lab.explainability.errors import ExplanationError


def choice_asymmetry(accept_steps: Sequence[str], refuse_steps: Sequence[str]) -> pd.DataFrame:
    """Compare the path to accept with the path to refuse.

    Parameters
    ----------
    accept_steps, refuse_steps : sequence of str
        The text a person reads at each click, in order; one entry a click, at least one.

    Returns
    -------
    pandas.DataFrame
        Index ``clicks`` and ``words``; columns ``accept``, ``refuse`` and ``extra_to_refuse``
        (refuse minus accept, a count; positive means refusing is the longer path).

    Raises
    ------
    ExplanationError
        If a path is a single string, is empty, or holds a step that is not text.

    References
    ----------
    California Code of Regulations, title 11, section 7004(a)(2): symmetry in choice.

    Examples
    --------
    >>> choice_asymmetry(["Accept"], ["Manage settings", "Refuse"])["extra_to_refuse"].to_dict()
    {'clicks': 1, 'words': 2}
    """
    paths = {"accept": accept_steps, "refuse": refuse_steps}
    for name, steps in paths.items():
        if isinstance(steps, str) or not len(steps):
            raise ExplanationError(f"{name}_steps must be a list with one text for each click.")
        for number, step in enumerate(steps, 1):
            if not isinstance(step, str) or not step.strip():
                raise ExplanationError(f"{name}_steps: step {number} must be a text, got {step!r}.")
    table = pd.DataFrame(
        {n: [len(s), sum(len(t.split()) for t in s)] for n, s in paths.items()},
        index=["clicks", "words"],
    )
    table["extra_to_refuse"] = table["refuse"] - table["accept"]
    return table
