import pytest

from ethicalai_lab.explainability.errors import ExplanationError
from ethicalai_lab.explainability.manipulation import choice_asymmetry


def test_counts_and_sign():
    longer = choice_asymmetry(["Yes"], ["More options", "No thanks"])
    assert longer["extra_to_refuse"].to_dict() == {"clicks": 1, "words": 3}
    swapped = choice_asymmetry(["More options", "No thanks"], ["Yes"])
    assert (swapped["extra_to_refuse"] == -longer["extra_to_refuse"]).all()
    assert (choice_asymmetry(["Accept"], ["Refuse"])["extra_to_refuse"] == 0).all()


@pytest.mark.parametrize("bad", ["No", [], ["No", ""], [3]])
def test_bad_path_is_named(bad):
    with pytest.raises(ExplanationError, match="refuse_steps"):
        choice_asymmetry(["Yes"], bad)
