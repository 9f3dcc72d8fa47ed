"""Ground floor: the synthetic world with its truth.

The names below are imported on first use: importing this package loads neither
pandas nor NumPy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
