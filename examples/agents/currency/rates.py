"""Tools of the agent in agent.yaml."""

from smolagents import Tool, tool

RATES = {"USD": 0.92, "GBP": 1.17}


@tool
def exchange_rate(currency: str) -> float:
    """How many euros one unit of a currency buys.

    Args:
        currency: Three-letter code, such as "USD".
    """
    return RATES[currency]


class Rounding(Tool):
    name = "round_amount"
    description = "Rounds an amount as the books want it."

    def __init__(self, digits: int = 0) -> None:
        super().__init__()
        self.digits = digits

    def forward(self, amount: float) -> float:
        """Round.

        Args:
            amount: The amount, in any currency.
        """
        return round(amount, self.digits)
