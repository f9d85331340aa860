"""Intervals against exact enumeration, SciPy, statsmodels and published examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tailor.evaluate import stats

# ---------------------------------------------------------------------------------------------------- golden numbers


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # statsmodels 0.15 proportion_confint(method="wilson")
        (0, 20, 0.0, 0.1611251580528194),
        (49, 50, 0.8950455641036218, 0.9964607407283538),
        (912, 1000, 0.8928277489502235, 0.9280190020576792),
    ],
)
def test_wilson_is_that_of_statsmodels(successes: int, n: int, low: float, high: float) -> None:
    assert stats.wilson(successes, n) == pytest.approx((low, high), abs=1e-12)


def test_wilson_is_that_of_scipy_at_every_count() -> None:
    for successes in range(31):
        theirs = scipy_stats.binomtest(successes, 30).proportion_ci(method="wilson")
        assert stats.wilson(successes, 30) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_published_example_of_paired_rates() -> None:
    """Airway hyper-responsiveness of 21 children before and after transplantation (Fagerland, Lydersen, Laake 2013).

    One changed for the better and seven for the worse; the mid-p is 0.039 there. The interval is worked by hand:
    -6/23 -+ 1.96 sqrt((10/23 - (6/23)**2) / 23).
    """
    assert stats.mcnemar_midp(1, 7) == pytest.approx(0.0391, abs=5e-5)
    assert stats.bonett_price(1, 7, 21) == pytest.approx((-0.508, -0.013), abs=5e-4)


def test_midp_is_the_exact_p_less_half_of_what_it_counts_twice() -> None:
    for gains, losses, exact in [(0, 6, 0.03125), (1, 8, 0.0390625), (12, 3, 0.03515625)]:  # statsmodels mcnemar
        point = scipy_stats.binom.pmf(gains, gains + losses, 0.5)
        assert stats.mcnemar_midp(gains, losses) == pytest.approx(exact - point, abs=1e-12)
    assert stats.mcnemar_midp(0, 0) == stats.mcnemar_midp(4, 4) == 1.0


# ------------------------------------------------------------------------------------------- coverage by enumeration


def _wald(gains: int, losses: int, n: int) -> stats.Interval:
    mean = (gains - losses) / n
    half = stats.Z * np.sqrt(((gains + losses) / n - mean**2) / n)
    return mean - half, mean + half


def _paired_coverage(interval: object, n: int, discordant: float, true: float = 0.05) -> float:
    up, down = (discordant + true) / 2, (discordant - true) / 2
    total = 0.0
    for gains in range(n + 1):
        for losses in range(n + 1 - gains):
            weight = scipy_stats.multinomial.pmf([gains, losses, n - gains - losses], n, [up, down, 1 - discordant])
            if weight > 1e-9:
                low, high = interval(gains, losses, n)  # type: ignore[operator]
                total += weight * (low <= true <= high)
    return 100 * total


@pytest.mark.parametrize(
    ("n", "discordant", "wald", "bonett_price"), [(20, 0.1, 78.0, 99.9), (20, 0.2, 89.8, 99.0), (50, 0.1, 93.5, 97.7)]
)
def test_coverage_of_paired_intervals(n: int, discordant: float, wald: float, bonett_price: float) -> None:
    assert _paired_coverage(_wald, n, discordant) == pytest.approx(wald, abs=0.06)
    assert _paired_coverage(stats.bonett_price, n, discordant) == pytest.approx(bonett_price, abs=0.06)


@pytest.mark.parametrize(("n", "rate", "covered"), [(50, 0.98, 92.2), (20, 0.95, 92.5), (100, 0.95, 96.6)])
def test_coverage_of_wilson(n: int, rate: float, covered: float) -> None:
    total = 0.0
    for successes in range(n + 1):
        low, high = stats.wilson(successes, n)
        total += scipy_stats.binom.pmf(successes, n, rate) * (low <= rate <= high)
    assert 100 * total == pytest.approx(covered, abs=0.06)


def test_chance_differences_are_called_real_about_one_time_in_twenty() -> None:
    rng = np.random.default_rng(5)
    false = {"midp": 0, "interval": 0}
    for _ in range(500):
        differences = rng.choice([-1.0, 0.0, 1.0], size=200, p=[0.1, 0.8, 0.1])
        (low, high), p = stats.difference_interval(differences)
        false["midp"] += p < 0.05
        false["interval"] += low > 0 or high < 0
    assert 15 <= false["midp"] <= 35
    assert 15 <= false["interval"] <= 35


# ---------------------------------------------------------------------------------------------------------- bootstrap


def _widened(count: int) -> float:
    """The confidence level whose normal interval is as wide as the t interval of `count` units."""
    z = np.sqrt(count / (count - 1)) * scipy_stats.t.ppf(0.975, count - 1)
    return float(2 * scipy_stats.norm.cdf(z) - 1)


def test_bootstrap_of_graded_scores_is_scipys_bca_at_the_widened_level() -> None:
    scores = np.random.default_rng(3).beta(5, 0.7, 60)
    theirs = scipy_stats.bootstrap(
        (scores,),
        np.mean,
        n_resamples=20_000,
        confidence_level=_widened(60),
        method="BCa",
        random_state=np.random.default_rng(8),
    ).confidence_interval
    assert stats.bootstrap(scores) == pytest.approx((theirs.low, theirs.high), abs=0.002)
    plain = np.quantile(scores, [0.0, 1.0])
    assert plain[0] < theirs.low < scores.mean() < theirs.high  # the interval says something


def test_paired_bootstrap_is_scipys_percentile_with_one_gain_and_loss_added() -> None:
    rng = np.random.default_rng(4)
    differences = np.where(rng.random(80) < 0.4, rng.normal(0.2, 0.3, 80), 0.0)
    typical = np.sqrt(np.mean(differences[differences != 0] ** 2))
    theirs = scipy_stats.bootstrap(
        (np.concatenate([differences, [typical, -typical]]),),
        np.mean,
        n_resamples=20_000,
        confidence_level=_widened(82),
        method="percentile",
        random_state=np.random.default_rng(8),
    ).confidence_interval
    interval, p = stats.paired_bootstrap(differences)
    assert interval == pytest.approx((theirs.low, theirs.high), abs=0.004)
    assert (p < 0.05) == (interval[0] > 0 or interval[1] < 0)


def test_p_of_the_paired_bootstrap_is_near_that_of_the_t_test() -> None:
    rng = np.random.default_rng(6)
    for shift in (0.0, 0.03, 0.06):
        differences = rng.normal(shift, 0.3, 300)
        _, p = stats.paired_bootstrap(differences)
        assert p == pytest.approx(scipy_stats.ttest_1samp(differences, 0).pvalue, abs=0.02)


def test_coverage_where_most_graded_differences_are_zero() -> None:
    """Twenty rows, one in ten differs: plain percentiles cover about 79%."""
    rng = np.random.default_rng(2)
    covered = {"plain": 0, "ours": 0}
    for _ in range(400):
        differences = np.where(rng.random(20) < 0.1, rng.normal(0.5, 0.3, 20), 0.0)
        low, high = np.quantile(differences[rng.integers(0, 20, (500, 20))].mean(axis=1), [0.025, 0.975])
        covered["plain"] += low <= 0.05 <= high
        (low, high), _ = stats.paired_bootstrap(differences, resamples=500)
        covered["ours"] += low <= 0.05 <= high
    assert covered["plain"] / 400 < 0.85
    assert 0.91 <= covered["ours"] / 400 <= 0.99


def test_equal_scores_still_have_an_interval() -> None:
    assert stats.paired_bootstrap(np.zeros(50)) == (stats.bonett_price(0, 0, 50), 1.0)
    low, high = stats.score_interval(np.full(50, 0.5))
    assert 0.4 < low < 0.5 < high < 0.6
    low, high = stats.score_interval(np.full(50, 3.0))
    assert 2.5 < low < 3 < high < 3.5


def test_same_seed_same_interval() -> None:
    scores = np.random.default_rng(0).random(40)
    assert stats.bootstrap(scores, seed=1) == stats.bootstrap(scores, seed=1) != stats.bootstrap(scores, seed=2)


# ------------------------------------------------------------------------------------------------------------- groups


def test_design_effect_is_that_of_cluster_robust_errors() -> None:
    """statsmodels 0.15: OLS(y, 1).fit(cov_type="cluster") gives a standard error of 0.09015501370014548."""
    groups = np.repeat(np.arange(12), [1, 2, 3, 4, 5, 6] * 2)
    scores = ((groups * 7 + np.arange(42) % 3) % 5 < 2).astype(float)
    effect = stats.design_effect(scores, [str(group) for group in groups])
    assert np.sqrt(effect * scores.var() / 42) == pytest.approx(0.09015501370014548, rel=1e-9)


@pytest.mark.parametrize("kind", ["binary", "graded"])
def test_copies_of_rows_are_no_evidence(kind: str) -> None:
    rng = np.random.default_rng(9)
    differences = rng.choice([-1.0, 0.0, 1.0], 200, p=[0.05, 0.75, 0.2])
    if kind == "graded":
        differences = differences * rng.uniform(0.3, 0.9, 200)
    copied = np.repeat(differences, 5)
    groups = [str(row // 5) for row in range(1000)]

    def width(interval: stats.Interval) -> float:
        return interval[1] - interval[0]

    alone = width(stats.difference_interval(differences)[0])
    grouped, p = stats.difference_interval(copied, groups)
    assert width(grouped) == pytest.approx(alone, rel=0.04)
    assert width(grouped) / width(stats.difference_interval(copied)[0]) == pytest.approx(np.sqrt(5), rel=0.05)
    assert (p < 0.05) == (grouped[0] > 0)
    scores = np.abs(copied)
    once = stats.score_interval(np.abs(differences))
    assert width(stats.score_interval(scores, groups)) == pytest.approx(width(once), rel=0.04)


def test_perfect_scores_in_groups_count_the_groups() -> None:
    groups = [str(row // 5) for row in range(100)]
    low, high = stats.score_interval(np.ones(100), groups)
    assert high == 1.0
    assert low == pytest.approx(stats.wilson(20, 20)[0], abs=0.03)
    assert low < stats.wilson(100, 100)[0]


def test_rows_without_a_group_are_units_of_their_own() -> None:
    assert len(np.unique(stats.unit_index(["a", None, "a", None, "b"]))) == 4
    values = np.random.default_rng(1).random(30)
    assert stats.score_interval(values, [None] * 30) == stats.score_interval(values)


# --------------------------------------------------------------------------------------------------- too few to tell


def test_nothing_is_claimed_of_fewer_than_ten_units() -> None:
    assert stats.score_interval(np.ones(9)) == (0.0, 1.0)
    assert stats.score_interval(np.ones(10))[0] > 0.6
    assert stats.score_interval(np.full(5, 3.0)) == (0.0, 6.0)
    assert stats.difference_interval(np.ones(9)) == ((-1.0, 1.0), pytest.approx(2**-9))
    assert stats.score_interval(np.ones(500), ["a", "b"] * 250) == (0.0, 1.0)


# -------------------------------------------------------------------------------------------------- corpus statistics


def test_corpus_bootstrap_of_a_mean_is_the_bootstrap_of_the_mean() -> None:
    values = np.random.default_rng(3).normal(0.3, 1, 100)
    interval, p = stats.corpus_bootstrap(lambda rows: float(values[rows].mean()), 100, paired=True)
    theirs = scipy_stats.bootstrap(
        (values,), np.mean, confidence_level=_widened(100), method="percentile", random_state=np.random.default_rng(0)
    ).confidence_interval
    assert interval == pytest.approx((theirs.low, theirs.high), abs=0.03)
    assert p == pytest.approx(scipy_stats.ttest_1samp(values, 0).pvalue, abs=0.02)


def test_corpus_bootstrap_draws_groups_whole() -> None:
    seen = []
    groups = ["a", "b", "a", None, *(str(number) for number in range(8))]
    stats.corpus_bootstrap(lambda rows: float(seen.append(sorted(rows)) or len(seen)), 12, groups, paired=False)
    assert seen[0] == list(range(12))
    assert all(list(rows).count(0) == list(rows).count(2) for rows in seen)
    assert any(0 not in rows for rows in seen)


def test_bias_of_a_corpus_statistic_is_corrected() -> None:
    """The number of distinct labels drawn is always short of the real one: plain percentiles would miss it."""
    labels = np.arange(60) // 2

    def distinct(rows: np.ndarray) -> float:
        return len(set(labels[rows].tolist())) / 30

    draws = [distinct(np.random.default_rng(seed).integers(0, 60, 60)) for seed in range(200)]
    assert np.quantile(draws, 0.975) < 0.99
    (_, high), _ = stats.corpus_bootstrap(distinct, 60, paired=False)
    assert high > np.quantile(draws, 0.975)
