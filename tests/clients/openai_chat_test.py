"""The openai package: chat and completions, pictures, streams, structured answers, errors."""

import enum
import unittest

import openai
import pydantic
from client_test_support import KEY, ClientTest, question, server


def client(**options):
    return openai.OpenAI(base_url=server().address + "/v1", api_key=KEY, timeout=60, **options)


class Color(enum.Enum):
    red = "red"
    green = "green"
    blue = "blue"


class Thing(pydantic.BaseModel):
    color: Color
    count: int
    names: list[str]


class Chat(ClientTest):
    def ask(self, **options):
        options = {"model": "demo", "messages": [question("cat.jpg", "What is in the picture?")], **options}
        return client().chat.completions.create(**options)

    def test_a_picture_is_seen(self):
        answer = self.ask(max_tokens=20)
        choice = answer.choices[0]
        self.assertEqual((choice.message.role, choice.message.content.strip()), ("assistant", "a cat"))
        self.assertEqual((choice.finish_reason, answer.object, answer.model), ("stop", "chat.completion", "demo"))
        self.assertTrue(answer.system_fingerprint.startswith("galago-"))
        usage = answer.usage
        self.assertGreater(usage.prompt_tokens, 64)
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        self.assertGreaterEqual(usage.prompt_tokens_details.cached_tokens, 0)

    def test_files_of_the_media_folder_are_seen(self):
        content = question("cat.jpg", "Where is the cat?")["content"]
        content[0]["image_url"]["url"] = "file://cat.jpg"
        answer = self.ask(messages=[{"role": "user", "content": content}])
        self.assertEqual(answer.choices[0].message.content.strip(), "center")

    def test_a_conversation_goes_on(self):
        answer = self.ask(
            messages=[
                {"role": "system", "content": "Be brief."},
                question("fruit.jpg", "Is there a strawberry?"),
                {"role": "assistant", "content": "yes"},
                {"role": "user", "content": "What is it?"},
            ],
            max_completion_tokens=8,
        )
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertLessEqual(answer.usage.completion_tokens, 8)

    def test_a_stream_is_the_answer_in_pieces(self):
        whole = self.ask().choices[0].message.content
        with client().chat.completions.create(
            model="demo",
            messages=[question("cat.jpg", "What is in the picture?")],
            stream=True,
            stream_options={"include_usage": True},
        ) as stream:
            chunks = list(stream)
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), whole)
        self.assertEqual([c.choices[0].finish_reason for c in chunks if c.choices][-1], "stop")
        self.assertEqual(chunks[-1].choices, [])
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)
        self.assertEqual({c.id for c in chunks}, {chunks[0].id})

    def test_several_answers_with_seeds(self):
        options = dict(n=3, seed=7, temperature=1.0, max_tokens=6, messages=[{"role": "user", "content": "Tell me"}])
        first, again = self.ask(**options), self.ask(**options)
        texts = [c.message.content for c in first.choices]
        self.assertEqual([c.index for c in first.choices], [0, 1, 2])
        self.assertEqual(texts, [c.message.content for c in again.choices])
        with client().chat.completions.create(model="demo", stream=True, **options) as stream:
            streamed = ["", "", ""]
            for chunk in stream:
                for choice in chunk.choices:
                    streamed[choice.index] += choice.delta.content or ""
        self.assertEqual(streamed, texts)

    def test_logprobs_belong_to_the_tokens(self):
        answer = self.ask(logprobs=True, top_logprobs=3)
        content = answer.choices[0].logprobs.content
        self.assertEqual("".join(t.token for t in content), answer.choices[0].message.content)
        for token in content:
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertEqual(token.top_logprobs[0].token, token.token, "greedy")
            self.assertEqual(bytes(token.bytes).decode(), token.token)

    def test_stop_and_bias_count(self):
        whole = self.ask().choices[0].message.content
        stopped = self.ask(stop=["cat", "never"]).choices[0]
        self.assertEqual((stopped.message.content, stopped.finish_reason), (whole[: whole.index("cat")], "stop"))
        first = self.ask(logprobs=True).choices[0].logprobs.content[0].token
        other = self.ask(logprobs=True, logit_bias={str(i): -100 for i in self.ids_of(first)})
        self.assertNotEqual(other.choices[0].logprobs.content[0].token, first)

    def ids_of(self, text):
        answer = client(max_retries=0).post("../tokenize", body={"content": text, "model": "demo"}, cast_to=object)
        return answer["tokens"]

    def test_a_prediction_changes_no_answer(self):
        plain = self.ask()
        self.assertIsNone(plain.usage.completion_tokens_details)
        for content in ("a cat", "a dog", [{"type": "text", "text": "a cat"}]):
            answer = self.ask(prediction={"type": "content", "content": content})
            self.assertEqual(answer.choices, plain.choices)
            counts = answer.usage.completion_tokens_details
            self.assertLessEqual(counts.accepted_prediction_tokens, answer.usage.completion_tokens)
            self.assertGreaterEqual(counts.rejected_prediction_tokens, 0)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.ask(prediction={"type": "content", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]})
        self.assertEqual(caught.exception.param, "prediction.content[0].type")

    def test_parse_gives_an_object(self):
        answer = client().chat.completions.parse(
            model="demo", messages=[question("shapes.png", "What shape is blue?")], response_format=Thing, max_tokens=200
        )
        thing = answer.choices[0].message.parsed
        self.assertIsInstance(thing.color, Color)
        self.assertIsInstance(thing.names, list)

    def test_a_stream_parses(self):
        with client().chat.completions.stream(
            model="demo", messages=[{"role": "user", "content": "x"}], response_format=Thing, max_tokens=200
        ) as stream:
            for _ in stream:
                pass
            thing = stream.get_final_completion().choices[0].message.parsed
        self.assertIsInstance(thing.count, int)

    def test_a_tool_that_is_required_is_called(self):
        tool = openai.pydantic_function_tool(Thing, name="describe")
        answer = self.ask(tools=[tool], tool_choice="required", max_tokens=200)
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual((call.type, call.function.name), ("function", "describe"))
        Thing.model_validate_json(call.function.arguments)
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")


class Completions(ClientTest):
    def test_texts_go_on(self):
        answer = client().completions.create(model="demo", prompt=["What", "Is there"], max_tokens=5, logprobs=2)
        self.assertEqual([c.index for c in answer.choices], [0, 1])
        self.assertEqual(len(answer.choices[0].logprobs.tokens), len(answer.choices[0].logprobs.token_logprobs))
        echoed = client().completions.create(model="demo", prompt="What is", max_tokens=2, echo=True)
        self.assertTrue(echoed.choices[0].text.startswith("What is"))
        with client().completions.create(model="demo", prompt="What", max_tokens=5, stream=True) as stream:
            text = "".join(c.choices[0].text for c in stream if c.choices)
        self.assertEqual(text, answer.choices[0].text)


class Errors(ClientTest):
    def refused(self, kind, ask, code=None, param=None):
        """A refusal arrives once, as this class, with this code."""
        with self.assertRaises(kind) as caught:
            ask()
        self.assertEqual(len(self.requests()), 1, "not tried again")
        if code:
            self.assertEqual(caught.exception.code, code)
        if param:
            self.assertEqual(caught.exception.param, param)
        return caught.exception

    def image(self, url):
        content = [{"type": "image_url", "image_url": {"url": url}}]
        return lambda: client().chat.completions.create(model="demo", messages=[{"role": "user", "content": content}])

    def test_unknown_model(self):
        error = self.refused(
            openai.NotFoundError,
            lambda: client().chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "x"}]),
            "model_not_found",
        )
        self.assertIn("demo", str(error))

    def test_wrong_key(self):
        self.refused(
            openai.AuthenticationError, lambda: client().with_options(api_key="no").models.list(), "invalid_api_key"
        )

    def test_wrong_field(self):
        self.refused(
            openai.BadRequestError,
            lambda: client().chat.completions.create(model="demo", messages=[], temperature=0),
            param="messages",
        )

    def test_too_long(self):
        self.refused(
            openai.BadRequestError,
            lambda: client().completions.create(model="demo", prompt="word " * 5000),
            "context_length_exceeded",
        )

    def test_bad_base64(self):
        self.refused(openai.BadRequestError, self.image("data:image/png;base64,!"), "invalid_base64_image")

    def test_no_picture(self):
        self.refused(openai.APIStatusError, self.image("data:image/png;base64,aGVsbG8="), "invalid_image_format")

    def test_web_address(self):
        self.refused(openai.BadRequestError, self.image("http://127.0.0.1:1/"), "remote_images_disabled")

    def test_file_outside(self):
        self.refused(openai.BadRequestError, self.image("file:///etc/passwd"), "invalid_image_url")


class Models(ClientTest):
    def test_are_listed(self):
        names = [m.id for m in client().models.list()]
        self.assertEqual(names, ["demo", "siglip", "docling"])
        self.assertEqual(client().models.retrieve("siglip").owned_by, "galago")


if __name__ == "__main__":
    unittest.main()
