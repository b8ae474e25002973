"""Amounts in whole cents."""

from typing import List


def text(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def percent_of(cents: int, percent: int) -> int:
    """A percentage of a positive amount, half a cent rounded up."""
    return (cents * percent + 50) // 100


def included_tax(gross: int, percent: int) -> int:
    """The tax that a gross amount includes, half a cent rounded up."""
    return (2 * gross * percent + 100 + percent) // (2 * (100 + percent))


def split(total: int, weights: List[int]) -> List[int]:
    """Splits an amount in proportion to the weights; the parts add up to it exactly."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), n))
    for n in by_remainder[: total - sum(parts)]:
        parts[n] += 1
    return parts
