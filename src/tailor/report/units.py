"""How the scores of a metric are written: yes/no scores as per cent and points, others as they are."""

from __future__ import annotations

from dataclasses import dataclass

from tailor.errors import ConfigError
from tailor.metrics.base import Traits
from tailor.report.text import number, signed


@dataclass(frozen=True, slots=True)
class Units(Traits):
    """A metric's traits, and how the page writes its scores."""

    @property
    def percent(self) -> bool:
        """Whether scores are yes or no."""
        return self.kind == "proportion"

    @property
    def written(self) -> bool:
        """False where arms only read the wanted answers."""
        return self.asks != "read"

    def best(self, value: float) -> bool:
        """Whether no score could be better."""
        return value >= 1 if self.sign > 0 else value <= 0

    @property
    def scale(self) -> float:
        """What a score is multiplied by to be shown."""
        return 100.0 if self.percent else 1.0

    def score(self, value: float) -> str:
        """90.2%, or 0.431."""
        return f"{100 * value:.1f}%" if self.percent else number(value)

    def range(self, ci: tuple[float, float]) -> str:
        """89.1% to 91.2%."""
        return f"{self.score(ci[0])} to {self.score(ci[1])}"

    def gain(self, value: float) -> str:
        """+55.4 of points, or +0.012."""
        if not self.percent:
            return signed(value)
        text = f"{100 * value:+.1f}".replace("-", "−")
        return text[1:] if text in ("+0.0", "−0.0") else text

    def gains(self, ci: tuple[float, float]) -> str:
        """+53.5 to +57.3."""
        return f"{self.gain(ci[0])} to {self.gain(ci[1])}"


def units(metric: str) -> Units:
    """The Units of a metric, from its plugin; plain numbers where no such metric is installed here."""
    try:
        return Units.of(metric)
    except ConfigError:
        return Units(metric)
