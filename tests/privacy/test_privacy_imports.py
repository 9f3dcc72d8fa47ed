"""Importing the room is cheap; heavy libraries load where they are used."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("ethicalai_lab.privacy", ["numpy", "pandas", "sklearn", "opendp", "cryptography"]),
        ("ethicalai_lab.privacy.attacks", ["numpy", "pandas", "sklearn", "opendp"]),
        ("ethicalai_lab.privacy.noise", ["opendp", "sklearn"]),
        ("ethicalai_lab.privacy.vault", ["cryptography", "sklearn"]),
        ("ethicalai_lab.privacy.measures", ["sklearn", "opendp"]),
    ],
)
def test_import_is_lazy(module, absent):
    code = f"import sys, {module}; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there():
    from ethicalai_lab import privacy

    for room in (privacy, privacy.attacks):
        for name in room.__all__:
            assert getattr(room, name) is not None
        assert set(room.__all__) <= set(dir(room))
        with pytest.raises(AttributeError, match="nothing_here"):
            room.nothing_here  # noqa: B018
