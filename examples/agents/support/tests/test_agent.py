import json
import unittest
from unittest import mock

from support import agent, prompts, store
from support.errors import ReplyRejected

FACTS = [{"tool": "calculate_refund", "result": {"refund": "85.40"}}]


def reply(**changes):
    return json.dumps({"subject": "Refund", "body": "We refund EUR 85.40.", "sources": ["calculate_refund"], **changes})


@mock.patch.object(store, "settings", return_value={"reply_max_characters": 200})
class Replies(unittest.TestCase):
    def test_a_reply_that_rests_on_a_tool_is_sent(self, _settings):
        self.assertEqual(agent.parse_reply(reply(), FACTS)["subject"], "Refund")

    def test_text_around_the_reply_is_refused(self, _settings):
        with self.assertRaisesRegex(ReplyRejected, "not valid JSON"):
            agent.parse_reply("Sure! " + reply(), FACTS)

    def test_figures_that_no_tool_returned_are_refused(self, _settings):
        with self.assertRaisesRegex(ReplyRejected, "90.00"):
            agent.parse_reply(reply(body="We refund EUR 90.00."), FACTS)

    def test_sources_that_were_not_used_are_refused(self, _settings):
        with self.assertRaisesRegex(ReplyRejected, "tools used"):
            agent.parse_reply(reply(sources=["loyalty_status"]), FACTS)


class Tools(unittest.TestCase):
    def test_the_model_is_told_about_unknown_tools(self):
        self.assertIn("there is no tool send_money", agent.call_tool("send_money", {})["error"])

    def test_the_model_is_told_what_the_shop_refuses(self):
        self.assertEqual(agent.call_tool("lookup_order", {"order_id": "X"}), {"error": "there is no order X"})


class Prompts(unittest.TestCase):
    def test_names_are_filled_and_unknown_ones_stay(self):
        with mock.patch.object(store, "read_text", return_value="Hello {{name}}, {{other}}"):
            self.assertEqual(prompts.render_prompt("greeting", {"name": "Ines"}), "Hello Ines, {{other}}")
