import json
import os
import unittest
from unittest import mock

from support import staso_client, tracing
from support.staso_client import NotDelivered

RECEIPT = {"accepted": 1, "rejected": 0, "spans_dropped": 0, "receipt_id": "key"}


class Receipts(unittest.TestCase):
    def check(self, **changes):
        staso_client._check_receipt(json.dumps({**RECEIPT, **changes}).encode(), "key", 1)

    def test_everything_taken_is_delivered(self):
        self.check()

    def test_anything_less_is_not(self):
        for change in ({"accepted": 0}, {"accepted": True}, {"rejected": 1}, {"spans_dropped": 1}, {"receipt_id": "x"}):
            with self.assertRaisesRegex(NotDelivered, "malformed_response"):
                self.check(**change)

    def test_nothing_is_sent_without_an_address(self):
        with mock.patch.dict(os.environ, {"STASO_BASE_URL": ""}):
            self.assertIsNone(staso_client.StasoClient.from_environment())


class Recording(unittest.TestCase):
    def test_what_is_no_json_is_recorded_as_text(self):
        circle = []
        circle.append(circle)
        self.assertEqual([tracing._json(value) for value in (circle, float("nan"))], ['"[[...]]"', '"nan"'])


class Bodies(unittest.TestCase):
    def test_spans_are_grouped_by_trace_with_the_earliest_time(self):
        batch = [("t1", {"timestamp": "b"}), ("t2", {"timestamp": "c"}), ("t1", {"timestamp": "a"})]
        traces = json.loads(staso_client._body(batch))["traces"]
        found = [(trace["trace_id"], trace["timestamp"], len(trace["spans"])) for trace in traces]
        self.assertEqual(found, [("t1", "a", 2), ("t2", "c", 1)])
