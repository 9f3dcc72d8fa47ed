"""The room's public face: every name is there, and looking at it costs nothing."""

import subprocess
import sys

from ethicalai_lab import explainability


def test_every_public_name_is_there_and_says_what_it_is():
    assert set(explainability.__all__) == set(explainability._LAZY)
    for name in explainability.__all__:
        found = getattr(explainability, name)
        assert found.__name__ == name
        assert found.__doc__, name
        assert found.__module__.startswith("ethicalai_lab.explainability."), name


def test_importing_the_room_imports_no_heavy_package():
    code = (
        "import sys, ethicalai_lab.explainability as room; room.ExplanationError; "
        "print([n for n in ('pandas', 'sklearn', 'shap', 'matplotlib') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
