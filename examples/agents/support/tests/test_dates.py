import unittest
from datetime import date

from support import dates

HOLIDAYS = ["2026-04-03", "2026-04-06"]


class BusinessDays(unittest.TestCase):
    def test_weekends_do_not_count(self):
        self.assertEqual(dates.add_business_days(date(2026, 3, 6), 2, []), date(2026, 3, 10))

    def test_holidays_do_not_count(self):
        self.assertEqual(dates.add_business_days(date(2026, 4, 2), 1, HOLIDAYS), date(2026, 4, 7))

    def test_days_between_leave_out_the_first_and_include_the_last(self):
        self.assertEqual(dates.business_days_between(date(2026, 3, 6), date(2026, 3, 10), []), 2)

    def test_nothing_lies_between_a_day_and_an_earlier_one(self):
        self.assertEqual(dates.business_days_between(date(2026, 3, 10), date(2026, 3, 6), []), 0)


class Months(unittest.TestCase):
    def test_a_shorter_month_ends_earlier(self):
        self.assertEqual(dates.add_months(date(2026, 1, 31), 1), date(2026, 2, 28))

    def test_years_carry_over(self):
        self.assertEqual(dates.add_months(date(2026, 11, 5), 24), date(2028, 11, 5))
