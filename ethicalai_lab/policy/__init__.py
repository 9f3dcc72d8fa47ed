"""The policy: what is decided about personalization, why, and its whole bill.

The names below are imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
