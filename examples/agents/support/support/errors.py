"""What can go wrong, by who has to act on it."""


class ToolRefused(Exception):
    """The shop's data does not allow what was asked for; the model is told so and may try something else."""


class RefundOutOfRange(ValueError):
    """A computed refund is negative or more than the goods and their shipping are worth."""


class ReplyRejected(Exception):
    """The model's reply must not be sent to a customer."""


class TurnLimitReached(Exception):
    """The model kept asking for tools."""


class ProviderError(Exception):
    """The model's provider answered with an error status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"Error code: {status} - {code}: {message}")
        self.status = status
        self.code = code


class ModelNotFound(ProviderError):
    """The provider does not serve this model."""


class ProviderOverloaded(ProviderError):
    """The provider has no capacity at the moment."""


class ModelTimeout(TimeoutError):
    """The provider did not answer in time."""
