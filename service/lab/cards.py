"""Filter cards as the routes hand them out: made once, and never more than a request may cost."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from service.core.cards import FilterCard, filter_card
from service.core.errors import InvalidOption
from service.lab import prices

# Fitting a Gabor to each channel takes a millisecond or more, and longer for more weights.
MAX_CARD_WEIGHTS = 16384
MAX_CARD_CHANNELS = 128


def card(weights: np.ndarray, bias: float = 0.0) -> FilterCard:
    """The card of a filter, (rows, columns) or (channels, rows, columns); kept for when it is asked for again."""
    prices.go_on()
    exact = np.ascontiguousarray(weights, np.float32)
    return _card(exact.tobytes(), exact.shape, bias)


@lru_cache(maxsize=1024)
def _card(weights: bytes, shape: tuple[int, ...], bias: float) -> FilterCard:
    return filter_card(np.frombuffer(weights, np.float32).reshape(shape), bias)


def charge_cards(filters: Iterable[np.ndarray]) -> None:
    """Charge the cards of these filters, as if none of them were kept."""
    for weights in filters:
        channels = 1 if weights.ndim == 2 else len(weights)
        work = prices.CARD + channels * prices.CARD_CHANNEL + weights.size * prices.CARD_WEIGHT
        prices.charge("card", work)


def check_cards(filters: Iterable[np.ndarray]) -> None:
    """Refuse, before the work, cards of more filters than a request may have."""
    all_weights = list(filters)
    count = sum(weights.size for weights in all_weights)
    channels = sum(1 if weights.ndim == 2 else len(weights) for weights in all_weights)
    if count > MAX_CARD_WEIGHTS or channels > MAX_CARD_CHANNELS:
        raise InvalidOption(
            f"cards may be made of {MAX_CARD_WEIGHTS} weights in {MAX_CARD_CHANNELS} channels, "
            f"these filters have {count} in {channels}",
            "/card",
        )
