import unittest

from support import money


class Money(unittest.TestCase):
    def test_amounts_always_show_two_digits(self):
        self.assertEqual([money.text(cents) for cents in (0, 5, 1990, -250)], ["0.00", "0.05", "19.90", "-2.50"])

    def test_half_a_cent_is_rounded_up(self):
        self.assertEqual(money.percent_of(1010, 5), 51)

    def test_a_gross_amount_includes_its_tax(self):
        self.assertEqual(money.included_tax(11900, 19), 1900)

    def test_the_parts_of_a_split_add_up(self):
        self.assertEqual(money.split(100, [1, 1, 1]), [34, 33, 33])
