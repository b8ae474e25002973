"""Calendar arithmetic in business days."""

from datetime import date, timedelta
from typing import Iterable


def parse(text: str) -> date:
    return date.fromisoformat(text)


def is_business_day(day: date, holidays: Iterable[str]) -> bool:
    return day.weekday() < 5 and day.isoformat() not in holidays


def add_business_days(start: date, count: int, holidays: Iterable[str]) -> date:
    """The business day that is `count` business days after `start`."""
    day = start
    left = count
    while left > 0:
        day += timedelta(days=1)
        if is_business_day(day, holidays):
            left -= 1
    return day


def business_days_between(start: date, end: date, holidays: Iterable[str]) -> int:
    """Business days after `start` up to and including `end`; 0 when `end` is not later."""
    days = (end - start).days
    return sum(is_business_day(start + timedelta(days=n), holidays) for n in range(1, days + 1))


def add_months(start: date, months: int) -> date:
    """The same day `months` later, or the last day of a shorter month."""
    years, month = divmod(start.month - 1 + months, 12)
    first = date(start.year + years, month + 1, 1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first.replace(day=min(start.day, (following - timedelta(days=1)).day))
