"""Explainability: why a decision came, whether the account is true, and what people are told.

The room's public face. Names load on first use, so importing the room is cheap.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
