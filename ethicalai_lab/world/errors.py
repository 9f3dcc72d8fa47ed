"""What can be wrong with a world."""

from __future__ import annotations

from ethicalai_lab.errors import InputError

__all__ = ["WorldError"]


class WorldError(InputError):
    """A knob, a table or a folder that cannot make a world.

    Examples
    --------
    >>> from ethicalai_lab.world import WorldConfig, WorldError
    >>> try:
    ...     WorldConfig(label_bias=2)
    ... except WorldError as error:
    ...     print(error)
    label_bias is 2; a number from 0 to 1 is accepted.
    """
