"""Fairness: audits that say what they can and cannot see, and mitigations with their price.

Names follow fairlearn and scikit-learn. Everything below is imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
