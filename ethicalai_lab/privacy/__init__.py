"""Privacy: what a table gives away, how to protect it, and what protection costs.

The room's public face. Names load on first use, so importing the room is cheap.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
