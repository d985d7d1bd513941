"""The openai package: the Responses API, embeddings, and the asynchronous client."""

import asyncio
import typing
import unittest

import openai
import pydantic
from client_test_support import KEY, ClientTest, picture, server


def client():
    return openai.OpenAI(base_url=server().address + "/v1", api_key=KEY, timeout=60)


class Answer(pydantic.BaseModel):
    word: typing.Literal["cat", "dog"]
    sure: bool


class Responses(ClientTest):
    ABOUT_A_CAT = [
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": picture("cat.jpg"), "detail": "auto"},
                {"type": "input_text", "text": "What is in the picture?"},
            ],
        }
    ]

    def test_text(self):
        answer = client().responses.create(model="demo", input="What is it?", max_output_tokens=16)
        self.assertEqual((answer.object, answer.status), ("response", "completed"))
        self.assertEqual(answer.output[0].content[0].type, "output_text")
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)

    def test_a_picture_is_seen(self):
        answer = client().responses.create(model="demo", input=self.ABOUT_A_CAT, instructions="Be brief.")
        self.assertEqual(answer.output_text.strip(), "a cat")

    def test_events_come_in_order(self):
        with client().responses.create(model="demo", input=self.ABOUT_A_CAT, stream=True) as stream:
            events = list(stream)
        kinds = [e.type for e in events]
        self.assertEqual(
            kinds[:4],
            ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"],
        )
        self.assertEqual(
            kinds[-4:],
            [
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.completed",
            ],
        )
        self.assertEqual(set(kinds[4:-4]), {"response.output_text.delta"})
        self.assertEqual([e.sequence_number for e in events], list(range(len(events))))
        text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        self.assertEqual(text, events[-1].response.output_text)
        self.assertEqual(text.strip(), "a cat")

    def test_parse_gives_an_object(self):
        answer = client().responses.parse(model="demo", input="x", text_format=Answer, max_output_tokens=200)
        self.assertIsInstance(answer.output_parsed, Answer)

    def test_a_stream_parses(self):
        with client().responses.stream(model="demo", input="x", text_format=Answer, max_output_tokens=200) as stream:
            for _ in stream:
                pass
            self.assertIsInstance(stream.get_final_response().output_parsed, Answer)

    def test_what_is_cut_says_so(self):
        answer = client().responses.create(model="demo", input="What is it?", max_output_tokens=1)
        self.assertEqual((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"))


class Embeddings(ClientTest):
    def test_both_encodings_are_the_same_numbers(self):
        texts = ["a cat", "a dog", "a cat"]
        by_default = client().embeddings.create(model="siglip", input=texts)  # asks for base64
        floats = client().embeddings.create(model="siglip", input=texts, encoding_format="float")
        for one, other in zip(by_default.data, floats.data, strict=True):
            self.assertEqual(len(one.embedding), len(other.embedding))
            for a, b in zip(one.embedding, other.embedding):
                self.assertAlmostEqual(a, b, places=6)
        self.assertEqual(by_default.data[0].embedding, by_default.data[2].embedding)
        self.assertNotEqual(by_default.data[0].embedding, by_default.data[1].embedding)
        self.assertEqual([d.index for d in floats.data], [0, 1, 2])
        self.assertAlmostEqual(sum(x * x for x in floats.data[0].embedding), 1, places=4)

    def test_pictures_have_vectors(self):
        parts = [{"content": [{"type": "image_url", "image_url": {"url": picture(name)}}]} for name in ("cat.jpg", "fruit.jpg")]
        answer = client().embeddings.create(model="siglip", input=parts)
        self.assertEqual(len(answer.data), 2)
        self.assertNotEqual(answer.data[0].embedding, answer.data[1].embedding)

    def test_a_model_that_answers_has_none(self):
        with self.assertRaises(openai.BadRequestError):
            client().embeddings.create(model="demo", input="a cat")


class Asynchronous(ClientTest):
    def test_many_at_once(self):
        async def ask():
            async with openai.AsyncOpenAI(base_url=server().address + "/v1", api_key=KEY, timeout=60) as c:
                return await asyncio.gather(
                    *(
                        c.chat.completions.create(model="demo", messages=[{"role": "user", "content": "What is it?"}])
                        for _ in range(12)
                    )
                )

        answers = {a.choices[0].message.content for a in asyncio.run(ask())}
        self.assertEqual(len(answers), 1, answers)

    def test_who_leaves_a_stream_is_noticed(self):
        async def leave():
            async with openai.AsyncOpenAI(base_url=server().address + "/v1", api_key=KEY, timeout=60) as c:
                stream = await c.completions.create(
                    model="demo", prompt="x", max_tokens=1500, stream=True, extra_body={"ignore_eos": True}
                )
                async for _ in stream:
                    break
                await stream.close()
                return await c.chat.completions.create(model="demo", messages=[{"role": "user", "content": "x"}])

        self.assertTrue(asyncio.run(leave()).choices)


if __name__ == "__main__":
    unittest.main()
