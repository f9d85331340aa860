"""How the scores of a metric are written: yes/no scores as per cent and points, others as they are."""

from __future__ import annotations

from dataclasses import dataclass

from tailor import plugins
from tailor.errors import ConfigError
from tailor.report.text import number, signed


@dataclass(frozen=True, slots=True)
class Units:
    """`scale` is what a score is multiplied by to be shown; `sign` is -1 where a lower score is better.

    `written` is False where arms only read the wanted answers. `counts` is what a score counts, such
    as nats a token.
    """

    percent: bool = False
    sign: int = 1
    written: bool = True
    counts: str = ""

    def best(self, value: float) -> bool:
        """Whether no score could be better."""
        return value >= 1 if self.sign > 0 else value <= 0

    @property
    def scale(self) -> float:
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
        module = plugins.load("metrics", metric)
    except ConfigError:
        return Units()
    return Units(
        percent=module.AGGREGATE == "proportion",
        sign=-1 if getattr(module, "LOWER_IS_BETTER", False) else 1,
        written=getattr(module, "ASKS", "write") != "read",
        counts=getattr(module, "UNIT", ""),
    )
