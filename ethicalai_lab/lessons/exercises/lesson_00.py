"""Questions of lesson 00: a first answer, checked."""

from __future__ import annotations

from typing import Any

from ethicalai_lab.lessons.answers import Number
from ethicalai_lab.lessons.engine import Exercise, Lesson, Mistake

__all__ = ["LESSON"]


def _visits(world: Any, arm: str) -> Any:
    campaign = world.campaign
    return campaign.loc[campaign["arm"] == arm, "visit"]


def _facts(world: Any) -> dict[str, float]:
    campaign = world.campaign
    mailed = campaign["arm"] == "sports_mail"
    visited = campaign["visit"] == 1
    return {
        "without": float(_visits(world, "no_mail").mean()),
        "all": float(visited.mean()),
        "of_visitors": float(mailed[visited].mean()),
        "of_customers": float((mailed & visited).mean()),
        "count": int((mailed & visited).sum()),
    }


Q1 = Exercise(
    id="q1",
    prompt=(
        "Of the customers who got the sports mail, what share visited the shop? "
        "Give a share between 0 and 1."
    ),
    answer=Number(absolute=0.0005, unit="share", low=0, high=1),
    expected=lambda world: float(_visits(world, "sports_mail").mean()),
    facts=_facts,
    mistakes=[
        Mistake(
            "inverted",
            lambda f: f.of_visitors,
            "That is the share of visitors who had got the sports mail. Turn it round: start "
            "from those who got the mail, and ask how many of them visited.",
        ),
        Mistake(
            "everyone",
            lambda f: f.all,
            "That is the share of all customers, whatever mail they got. Keep only the rows "
            "where `arm` is `sports_mail`.",
        ),
        Mistake(
            "joint",
            lambda f: f.of_customers,
            "You divided by all customers. Divide by those who got the sports mail.",
        ),
        Mistake(
            "count",
            lambda f: f.count,
            "That is how many visited. A share is asked for: divide by how many got the mail.",
        ),
        Mistake(
            "other_arm",
            lambda f: f.without,
            "That is the share of visitors among those who got no mail at all.",
        ),
    ],
    hints=[
        "Each row of `campaign` is a customer. `arm` says which mail, `visit` is 1 for a visit.",
        "The mean of a column of zeros and ones is the share of ones.",
        'Keep the rows with `campaign["arm"] == "sports_mail"`, then take the mean of `visit`.',
    ],
    solution='answer = campaign.loc[campaign["arm"] == "sports_mail", "visit"].mean()',
    why=(
        "{expected:.1%} of them visited. But so did {without:.1%} of those who got no mail: most "
        "of these visitors would have come anyway. Lesson 01 starts from there."
    ),
)

LESSON = Lesson(
    number="00",
    title="Start here",
    exercises=[Q1],
    setup="campaign = world.campaign",
)
