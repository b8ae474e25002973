import unittest
from unittest import mock

from support import store, tools
from support.errors import ToolRefused


def article(colour, name):
    return {"sku": f"{colour} {name}", "name": name, "colour": colour, "price_cents": 100, "quantity": 1}


class Orders(unittest.TestCase):
    def test_the_total_includes_shipping(self):
        self.assertEqual(tools.lookup_order("A-10240")["total"], "85.40")

    def test_an_unknown_order_is_refused(self):
        with self.assertRaises(ToolRefused):
            tools.lookup_order("A-99999")

    def test_a_delivered_order_names_its_day(self):
        estimate = tools.delivery_estimate("A-10240", "2026-03-12")
        self.assertEqual(estimate, {"status": "delivered", "delivered_on": "2026-03-05"})

    def test_packing_comes_before_the_carrier(self):
        estimate = tools.delivery_estimate("A-10270", "2026-04-02")
        self.assertEqual((estimate["earliest"], estimate["latest"]), ("2026-04-14", "2026-04-20"))


class Refunds(unittest.TestCase):
    def test_quick_returns_cost_nothing(self):
        refund = tools.calculate_refund("A-10240", "STV-GAS", 1, "2026-03-12")
        self.assertEqual((refund["refund"], refund["restocking_fee"]), ("85.40", "0.00"))

    def test_the_window_closes(self):
        self.assertFalse(tools.calculate_refund("A-10240", "STV-GAS", 1, "2026-05-01")["eligible"])

    def test_gift_cards_are_final(self):
        self.assertFalse(tools.calculate_refund("A-10255", "GFT-50", 1, "2026-03-12")["eligible"])

    def test_nobody_returns_more_than_they_bought(self):
        with self.assertRaises(ToolRefused):
            tools.calculate_refund("A-10240", "STV-GAS", 2, "2026-03-12")


class Catalogue(unittest.TestCase):
    def test_points_lead_to_the_next_tier(self):
        status = tools.loyalty_status("C-202")
        self.assertEqual((status["tier"], status["next_tier"], status["points_missing"]), ("Ranger", "Summit", 750))

    def test_the_best_match_comes_first(self):
        tents = [article("green", "tent"), article("red", "boots"), article("red", "tent")]
        with mock.patch.object(store, "stock", return_value=tents):
            self.assertEqual(tools.search_stock("red tent", 1)[0]["sku"], "red tent")

    def test_light_parcels_within_the_country(self):
        self.assertEqual(tools.shipping_quote("DE", 800)["price"], "3.90")

    def test_the_next_weight_band_and_zone(self):
        self.assertEqual(tools.shipping_quote("FR", 1001)["price"], "11.90")

    def test_countries_without_shipping_are_refused(self):
        with self.assertRaises(ToolRefused):
            tools.shipping_quote("AQ", 100)

    def test_a_single_rate_takes_the_whole_tax(self):
        self.assertEqual(tools.invoice_taxes("A-10240"), {"total": "85.40", "taxes": {"19": "13.64"}})

    def test_gift_cards_have_no_warranty(self):
        self.assertFalse(tools.warranty_status("A-10255", "GFT-50", "2026-03-12")["covered"])
