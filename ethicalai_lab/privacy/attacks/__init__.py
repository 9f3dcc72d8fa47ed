"""Attacks on releases, tables and models, each scored against the truth.

The judge knows who is who; the attacker does not. Every rate has an interval, and the
three tests of WP216 (singling out, linkability, inference) are given as risks over what
an attacker reaches *without* the release's help.

References
----------
Article 29 Working Party, Opinion 05/2014 on anonymisation techniques (WP216). Giomi,
Boenisch, Wehmeyer, Tasnadi, "A unified framework for quantifying privacy risk in
synthetic data", PoPETs 2023.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
