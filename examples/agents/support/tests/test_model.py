import unittest
from unittest import mock

from support import model, store
from support.errors import ModelNotFound, ModelTimeout, ProviderOverloaded

SETTINGS = {
    "provider": "relay",
    "model": "relay-2",
    "timeout_seconds": 20,
    "retries": 1,
    "retry_delay_seconds": 0,
}
HELLO = [{"role": "user", "content": "Hello"}]


class Model(unittest.TestCase):
    def chat(self, max_tokens, **settings):
        with mock.patch.object(store, "settings", return_value={**SETTINGS, **settings}):
            return model.chat(HELLO, [], max_tokens)

    def test_answers_stop_at_the_limit(self):
        self.assertEqual(len(self.chat(5)["content"]), 5 * model.CHARACTERS_PER_TOKEN)

    def test_retired_models_are_an_error_that_names_others(self):
        with self.assertRaisesRegex(ModelNotFound, "404.*model_not_found.*relay-2"):
            self.chat(100, model="relay-1")

    def test_late_answers_do_not_arrive(self):
        with self.assertRaises(ModelTimeout):
            self.chat(100, timeout_seconds=0.01)

    def test_an_overloaded_provider_is_asked_again(self):
        answer = {"content": "READY", "tool_calls": []}
        overloaded = ProviderOverloaded(529, "overloaded_error", "Overloaded")
        with mock.patch.object(store, "settings", return_value=SETTINGS):
            with mock.patch.object(model, "chat", side_effect=[overloaded, answer]):
                self.assertEqual(model.ask(HELLO, [], 100), answer)
