from .base import WhatIf as WhatIf
from .base import what_if as what_if
