"""The verdict: a decision and the sentence that states it, both from the intervals alone.

tune            the whole interval of the gain lies above the smallest gain worth it
prompt, ...     the whole interval lies below it (or at or below zero): what the best prompted arm is called
inconclusive    neither; with the held-out rows that would settle it
"""

from __future__ import annotations

from collections.abc import Sequence

from tailor.errors import DataError
from tailor.evaluate.power import foresight, held_out_needed, training_needed
from tailor.evaluate.scale import Scale, scale
from tailor.evaluate.stats import MIN_UNITS, claims_nothing
from tailor.records import ArmResult, Decision, Difference, RowsNeeded, Verdict

TUNED = "tuned"
_DECISIONS: dict[str, Decision] = {"zero-shot": "prompt", "few-shot": "few-shot", "retrieved": "retrieve"}
_NOTHING = RowsNeeded()


def best_baseline(arms: Sequence[ArmResult]) -> str | None:
    """Name of the best arm that needs no training, on validation rows where there are any; None where there is none.

    Of equal ones the one with fewer prompt tokens a request.
    """
    prompted = [arm for arm in arms if arm.name != TUNED]
    if not prompted:
        return None
    sign = scale(prompted[0].metric).sign
    return max(prompted, key=lambda arm: (sign * arm.score, -arm.prompt_tokens / arm.n)).name


def decide(
    test: Sequence[ArmResult],
    difference: Difference | None = None,
    *,
    minimum_gain: float = 0.0,
    curve: Sequence[tuple[int, float]] = (),
) -> Verdict:
    """The verdict on the arms measured on the test rows.

    `difference` is `tuned - best baseline` on those rows, the baseline chosen by `best_baseline` on validation rows;
    where nothing was tuned it is `few-shot - zero-shot`; None where a single arm was measured. `minimum_gain` is in the
    metric's own units (0.02 is 2 points of a yes/no score). `curve` holds (training rows, score of the tuned arm) where
    more than one length was tried. Raises DataError where an arm of the difference is missing.
    """
    if not test:
        raise DataError("no arm was measured, so there is nothing to decide")
    how = scale(test[0].metric)
    if difference is None:
        return _one_arm(test, how)
    arms = {arm.name: arm for arm in test}
    missing = [name for name in (difference.arm, difference.against) if name not in arms]
    if missing:
        raise DataError(f"the difference is of arms that were not measured: {', '.join(missing)}")
    ours, theirs = arms[difference.arm], arms[difference.against]
    gain = difference if how.sign > 0 else _negated(difference)
    if claims_nothing(difference.ci):
        return _too_few(ours, theirs, how)
    if how.sign > 0 and all(arm.score == 0 for arm in test):
        return _nothing_works(test, how)
    if difference.arm != TUNED:
        return _prompted(ours, theirs, gain, how)
    return _tuned(ours, theirs, gain, how, minimum_gain, curve)


def _tuned(
    ours: ArmResult,
    theirs: ArmResult,
    gain: Difference,
    how: Scale,
    minimum_gain: float,
    curve: Sequence[tuple[int, float]],
) -> Verdict:
    low, high = gain.ci
    facts = _facts(ours, theirs, gain, how)
    if low > minimum_gain:
        return Verdict(decision="tune", sentence=f"Tune: {facts}{_cost(ours, theirs)}.", rows_needed=_NOTHING)
    worth = f"the {how.show_gain(minimum_gain)}{how.unit} asked for"
    upward = [(rows, how.sign * score) for rows, score in curve]
    training = training_needed(upward, how.sign * theirs.score + minimum_gain)
    if high <= 0 or high < minimum_gain:
        why = "tuning does not help" if high <= 0 else f"tuning gains less than {worth}"
        return Verdict(
            decision=_decision(theirs.name),
            sentence=f"Do not tune, {_advice(theirs)} instead: {why}. Tuned, {facts}.{_more_training(training)}",
            rows_needed=RowsNeeded(training=training),
        )
    held_out = held_out_needed(gain, ours.n, minimum_gain)
    unsure = "the interval holds zero" if low <= 0 else f"the interval holds {worth}"
    return Verdict(
        decision="inconclusive",
        sentence=f"Inconclusive: tuned, {facts}; {unsure}.{_more_rows(held_out)}{_more_training(training)}",
        rows_needed=RowsNeeded(held_out=held_out, training=training),
    )


def _prompted(ours: ArmResult, theirs: ArmResult, gain: Difference, how: Scale) -> Verdict:
    """Of two prompted arms the one that is shown to be better, else the cheaper: no training was asked for."""
    low, high = gain.ci
    facts = _facts(ours, theirs, gain, how)
    if low > 0 or high < 0:
        winner, loser = (ours, theirs) if low > 0 else (theirs, ours)
        sentence = f"{_capital(_advice(winner))}: {ours.name}, {facts}{_cost(winner, loser)}. Tuning was not tried."
    else:
        winner = min((ours, theirs), key=_prompt_tokens)
        sentence = f"{_capital(_advice(winner))}, the cheaper of two that cannot be told apart: {ours.name}, {facts}."
        sentence += " Tuning was not tried."
    return Verdict(decision=_decision(winner.name), sentence=sentence, rows_needed=_NOTHING)


def _one_arm(test: Sequence[ArmResult], how: Scale) -> Verdict:
    measured = ", ".join(f"{arm.name} {how.name(arm.score)}" for arm in test)
    missing = "no prompted arm" if test[0].name == TUNED else "no other arm"
    return Verdict(
        decision="inconclusive",
        sentence=f"Inconclusive: {missing} was measured to compare with. On {test[0].n:,} held-out rows: {measured}.",
        rows_needed=_NOTHING,
    )


def _too_few(ours: ArmResult, theirs: ArmResult, how: Scale) -> Verdict:
    why = f"{ours.n:,} held-out rows of fewer than {MIN_UNITS} groups can show nothing; hold out more groups"
    return Verdict(
        decision="inconclusive",
        sentence=(
            f"Inconclusive, too little data to tell: {ours.name} {how.show(ours.score)}, {theirs.name} "
            f"{how.show(theirs.score)}, but {foresight(ours.n) if ours.n < MIN_UNITS else why}."
        ),
        rows_needed=_NOTHING,
    )


def _nothing_works(test: Sequence[ArmResult], how: Scale) -> Verdict:
    names = ", ".join(arm.name for arm in test)
    return Verdict(
        decision="inconclusive",
        sentence=(
            f"Inconclusive, nothing works yet: every arm ({names}) scores {how.show(0.0)} by {how.metric} on "
            f"{test[0].n:,} held-out rows. Look at the answers, the metric and the model before adding rows."
        ),
        rows_needed=_NOTHING,
    )


# ---------------------------------------------------------------------------------------------------------- words


def _facts(ours: ArmResult, theirs: ArmResult, gain: Difference, how: Scale) -> str:
    better = " (lower is better)" if how.lower_is_better else ""
    low, high = gain.ci
    if low <= 0 <= high:
        what, mean, ends = "a difference", gain.mean, (low, high)
    elif low > 0:
        what, mean, ends = "a gain", gain.mean, (low, high)
    else:
        what, mean, ends = "a loss", -gain.mean, (-high, -low)
    sign = "+" if low <= 0 <= high else ""
    shown, first, last = (how.show_gain(value, sign) for value in (mean, *ends))
    return (
        f"{how.name(ours.score)} against {how.show(theirs.score)} for {theirs.name}{better} on the same {ours.n:,} "
        f"held-out rows, {what} of {shown}{how.unit} (95% interval {first} to {last})"
    )


def _cost(winner: ArmResult, loser: ArmResult) -> str:
    """What the winner costs or saves on every request, where that is much."""
    ours, theirs = _prompt_tokens(winner), _prompt_tokens(loser)
    if max(ours, theirs) < 1.5 * min(ours, theirs) or abs(ours - theirs) < 20:
        return ""
    return f", with {ours:,.0f} prompt tokens a request instead of {theirs:,.0f}"


def _prompt_tokens(arm: ArmResult) -> float:
    return arm.prompt_tokens / arm.n


def _more_rows(held_out: int | None) -> str:
    if held_out is None:
        return " The two are so close that no practical number of held-out rows would tell them apart."
    return f" About {held_out:,} held-out rows would settle it if the difference stays as it is."


def _more_training(rows: int | None) -> str:
    return f" As scores grew so far, about {rows:,} training rows would reach it." if rows else ""


def _decision(arm: str) -> Decision:
    return _DECISIONS.get(arm, "prompt")


def _advice(arm: ArmResult) -> str:
    if not arm.prompt_tokens:  # plain text was read, so there is nothing to prompt
        return "keep the base model"
    known = {"zero-shot": "prompt", "few-shot": "prompt with examples", "retrieved": "retrieve"}
    return known.get(arm.name, f"use {arm.name}")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _negated(difference: Difference) -> Difference:
    low, high = difference.ci
    return Difference(
        arm=difference.arm, against=difference.against, mean=-difference.mean, ci=(-high, -low), p=difference.p
    )
