"""What clients of llama-server send, as its README has it; Prometheus's parser over /metrics."""

import base64
import json
import unittest
import urllib.error
import urllib.request

from client_test_support import DEMO, KEY, ClientTest, picture, server
from prometheus_client.parser import text_string_to_metric_families


def send(path, body=None, key=KEY):
    """-> (status, JSON or text)"""
    headers = {"Authorization": "Bearer " + key} if key else {}
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    request = urllib.request.Request(server().address + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, kind, text = answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        status, kind, text = error.code, error.headers["Content-Type"], error.read().decode()
    return status, json.loads(text) if kind.startswith("application/json") else text


class LlamaServer(ClientTest):
    def test_health(self):
        for path in ("/health", "/v1/health"):
            self.assertEqual(send(path, key=None), (200, {"status": "ok"}))

    def test_completion(self):
        status, answer = send("/completion", {"prompt": "What is", "n_predict": 4, "temperature": 0, "cache_prompt": True})
        self.assertEqual(status, 200)
        for key in ("content", "stop", "tokens_predicted", "tokens_evaluated", "stop_type", "timings", "model"):
            self.assertIn(key, answer)
        self.assertTrue(answer["stop"])
        self.assertLessEqual(answer["tokens_predicted"], 4)
        for key in ("prompt_n", "prompt_ms", "predicted_n", "predicted_per_second", "cache_n"):
            self.assertIn(key, answer["timings"])

    def test_published_bodies(self):
        bodies = [
            {"prompt": "Building a website can be done in 10 simple steps:", "n_predict": 8},
            {"prompt": [12, 34, 56], "n_predict": 2},
            {"prompt": ["a", [12, 34]], "n_predict": 2},
            {"prompt": "x", "n_predict": 0},
            {"prompt": "x", "n_predict": 2, "n_probs": 3, "post_sampling_probs": False},
            {"prompt": "x", "n_predict": 2, "samplers": ["top_k", "temperature"], "top_k": 5, "min_p": 0.1},
            {"prompt": "x", "n_predict": 2, "repeat_penalty": 1.1, "repeat_last_n": 64, "id_slot": -1, "seed": 1},
            {"prompt": "x", "n_predict": 2, "stop": ["\n"], "ignore_eos": True, "return_tokens": True},
            {"prompt": "x", "n_predict": 20, "json_schema": {"type": "object", "properties": {"a": {"type": "boolean"}}}},
        ]
        for body in bodies:
            status, answer = send("/completion", {"model": "demo", **body})
            self.assertEqual(status, 200, (body, answer))

    def test_a_picture_beside_the_prompt(self):
        data = base64.b64encode((DEMO / "pictures" / "cat.jpg").read_bytes()).decode()
        body = {"prompt": {"prompt_string": "<__media__>What is it?", "multimodal_data": [data]}, "n_predict": 4}
        status, answer = send("/completion", body)
        self.assertIn(status, (200, 400), answer)

    def test_stream(self):
        status, text = send("/completion", {"prompt": "What is", "n_predict": 4, "temperature": 0, "stream": True})
        self.assertEqual(status, 200)
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        whole = send("/completion", {"prompt": "What is", "n_predict": 4, "temperature": 0})[1]
        self.assertEqual("".join(e["content"] for e in events), whole["content"])
        self.assertEqual([e["stop"] for e in events], [False] * (len(events) - 1) + [True])

    def test_tokens_there_and_back(self):
        status, answer = send("/tokenize", {"content": "What is in the picture?"})
        self.assertEqual(status, 200)
        self.assertEqual(send("/detokenize", {"tokens": answer["tokens"]}), (200, {"content": "What is in the picture?"}))
        pieces = send("/tokenize", {"content": "What is", "with_pieces": True, "add_special": False})[1]["tokens"]
        self.assertEqual("".join(p["piece"] for p in pieces), "What is")

    def test_templates(self):
        message = {"role": "user", "content": "Hello"}
        status, answer = send("/apply-template", {"messages": [message]})
        self.assertEqual(status, 200)
        self.assertIn("Hello", answer["prompt"])
        about = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture("cat.jpg")}}, {"type": "text", "text": "x"}]}
        status, answer = send("/v1/chat/completions/input_tokens", {"messages": [about]})
        self.assertEqual((status, answer["object"]), (200, "response.input_tokens"))
        self.assertGreater(answer["input_tokens"], 64)

    def test_what_it_tells_of_itself(self):
        status, props = send("/props")
        self.assertEqual(status, 200)
        self.assertTrue(props["modalities"]["vision"])
        self.assertIn("messages", props["chat_template"])
        status, slots = send("/slots")
        self.assertEqual((status, len(slots) >= props["total_slots"]), (200, True))
        self.assertEqual([m["id"] for m in send("/models")[1]["data"]], ["demo", "siglip", "docling"])

    def test_what_is_not_there(self):
        for path in ("/infill", "/lora-adapters", "/rerank", "/v1/audio/speech", "/nothing"):
            status, answer = send(path, {})
            self.assertEqual((status, answer["error"]["type"]), (404, "not_found_error"), path)

    def test_keys_are_asked_for(self):
        for path in ("/metrics", "/slots", "/props", "/v1/models", "/tokenize", "/completion"):
            status, answer = send(path, None if path[1] in "msp" or path == "/v1/models" else {}, key=None)
            self.assertEqual((status, answer["error"]["type"]), (401, "authentication_error"), path)


class Metrics(ClientTest):
    def values(self):
        status, text = send("/metrics")
        self.assertEqual(status, 200)
        families = list(text_string_to_metric_families(text))
        self.assertEqual(len({f.name for f in families}), len(families), "each family once")
        return families, {
            (s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples
        }

    def test_prometheus_reads_them(self):
        _, before = self.values()
        send("/completion", {"prompt": "What", "n_predict": 3, "model": "demo"})
        families, after = self.values()
        for (name, labels), value in before.items():
            if name.endswith(("_total", "_count", "_bucket")):
                self.assertGreaterEqual(after[name, labels], value, name)
        tokens = ("llamacpp:tokens_predicted_total", ())
        self.assertGreater(after[tokens], before.get(tokens, 0))
        histograms = [f for f in families if f.type == "histogram"]
        self.assertTrue(histograms)
        for family in histograms:
            rows = {}
            for sample in family.samples:
                others = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
                if sample.name.endswith("_bucket"):
                    rows.setdefault(others, []).append((float(sample.labels["le"]), sample.value))
            for others, buckets in rows.items():
                counts = [count for _, count in sorted(buckets)]
                self.assertEqual(counts, sorted(counts), family.name)
                self.assertEqual(sorted(buckets)[-1], (float("inf"), after[family.name + "_count", others]))


if __name__ == "__main__":
    unittest.main()
