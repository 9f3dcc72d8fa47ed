"""What can be wrong with a policy."""

from __future__ import annotations

from collections.abc import Sequence

from ethicalai_lab.errors import InputError

__all__ = ["PolicyError"]


class PolicyError(InputError):
    """A policy that cannot be used; every fault in one sentence.

    Attributes
    ----------
    faults : tuple of str
        One sentence for each fault, with file, line and field where they are known.

    Examples
    --------
    >>> from ethicalai_lab.policy import Policy, PolicyError
    >>> try:
    ...     Policy().decide("personalization", share=3)
    ... except PolicyError as error:
    ...     print(error)
    personalization.share is 3; accepted: a number from 0 to 1.
    """

    def __init__(self, faults: str | Sequence[str]) -> None:
        self.faults = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))
