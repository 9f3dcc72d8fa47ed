"""The Ethical AI Lab: how personal may automated marketing be, and at what price?

The names below are imported on first use, so that ``import ethicalai_lab`` stays
far cheaper than ``import pandas``.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
