"""One style for every figure, and a text alternative with each.

Functions here take data and return a :class:`Figure`: a picture whose ``alt`` says,
computed from the same data, what the picture shows. Groups differ by marker, line
or hatch as well as by colour; the palette keeps its steps apart for the common
forms of colour blindness and against white paper. The rooms do not import this
module.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
