"""Frameworks that speak OpenAI's API: LiteLLM, LangChain, instructor, pydantic-ai."""

import enum
import unittest

import pydantic
from client_test_support import KEY, ClientTest, question, server


class Color(enum.Enum):
    red = "red"
    green = "green"
    blue = "blue"


class Shape(pydantic.BaseModel):
    """A shape in the picture."""

    color: Color
    corners: int


def base():
    return server().address + "/v1"


class LiteLlm(ClientTest):
    def setUp(self):
        super().setUp()
        import litellm

        litellm.telemetry = False
        self.litellm = litellm
        self.options = {"model": "openai/demo", "api_base": base(), "api_key": KEY, "max_tokens": 16}

    def test_a_picture_is_seen(self):
        answer = self.litellm.completion(messages=[question("cat.jpg", "What is in the picture?")], **self.options)
        self.assertEqual(answer.choices[0].message.content.strip(), "a cat")
        self.assertGreater(answer.usage.prompt_tokens, 64)

    def test_a_stream(self):
        stream = self.litellm.completion(
            messages=[question("cat.jpg", "What is in the picture?")],
            stream=True,
            stream_options={"include_usage": True},
            **self.options,
        )
        chunks = list(stream)
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices).strip(), "a cat")
        self.assertGreater(chunks[-1].usage.total_tokens, 0)

    def test_embeddings(self):
        answer = self.litellm.embedding(model="openai/siglip", input=["a cat", "a dog"], api_base=base(), api_key=KEY)
        self.assertEqual(len(answer.data), 2)

    def test_errors_are_told_apart(self):
        with self.assertRaises(self.litellm.NotFoundError):
            self.litellm.completion(messages=[{"role": "user", "content": "x"}], **{**self.options, "model": "openai/no"})
        with self.assertRaises(self.litellm.ContextWindowExceededError):
            self.litellm.completion(messages=[{"role": "user", "content": "word " * 5000}], **self.options)


class LangChain(ClientTest):
    def model(self, **options):
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(model="demo", base_url=base(), api_key=KEY, temperature=0, max_tokens=200, **options)

    def test_a_picture_is_seen(self):
        answer = self.model().invoke([question("cat.jpg", "What is in the picture?")])
        self.assertEqual(answer.content.strip(), "a cat")
        self.assertGreater(answer.usage_metadata["input_tokens"], 64)

    def test_a_stream(self):
        pieces = list(self.model().stream([question("cat.jpg", "What is in the picture?")]))
        self.assertEqual("".join(p.content for p in pieces).strip(), "a cat")

    def test_structured(self):
        for method in ("json_schema", "function_calling"):
            shape = self.model().with_structured_output(Shape, method=method).invoke([question("shapes.png", "What shape is blue?")])
            self.assertIsInstance(shape, Shape, method)

    def test_responses_api(self):
        answer = self.model(use_responses_api=True).invoke("What is it?")
        self.assertTrue(answer.text)

    def test_embeddings(self):
        from langchain_openai import OpenAIEmbeddings

        model = OpenAIEmbeddings(model="siglip", base_url=base(), api_key=KEY, check_embedding_ctx_length=False)
        self.assertEqual(len(model.embed_documents(["a cat", "a dog"])), 2)


class Instructor(ClientTest):
    def test_modes(self):
        import instructor
        import openai

        plain = openai.OpenAI(base_url=base(), api_key=KEY)
        for mode in (instructor.Mode.JSON_SCHEMA, instructor.Mode.TOOLS):
            shape = instructor.from_openai(plain, mode=mode).chat.completions.create(
                model="demo", response_model=Shape, messages=[question("shapes.png", "What shape is blue?")], max_tokens=200
            )
            self.assertIsInstance(shape, Shape, mode)


class PydanticAi(ClientTest):
    def agent(self, output):
        from pydantic_ai import Agent
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        model = OpenAIChatModel("demo", provider=OpenAIProvider(base_url=base(), api_key=KEY))
        return Agent(model, output_type=output, model_settings={"max_tokens": 200, "temperature": 0})

    def test_a_required_tool_gives_the_output(self):
        self.assertIsInstance(self.agent(Shape).run_sync("Describe a shape").output, Shape)

    def test_a_tool_is_called_and_heard(self):
        import openai

        # What an agent sends in its second round: the call, with "content": null, and what came of it.
        call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        answer = openai.OpenAI(base_url=base(), api_key=KEY).chat.completions.create(
            model="demo",
            max_tokens=8,
            messages=[
                {"role": "user", "content": "What is it?"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
            ],
        )
        self.assertTrue(answer.choices)

    def test_native_output(self):
        from pydantic_ai import NativeOutput

        self.assertIsInstance(self.agent(NativeOutput(Shape)).run_sync("Describe a shape").output, Shape)

    def test_text_about_a_picture(self):
        from client_test_support import DEMO
        from pydantic_ai import BinaryContent

        photo = BinaryContent((DEMO / "pictures" / "cat.jpg").read_bytes(), media_type="image/jpeg")
        answer = self.agent(str).run_sync([photo, "What is in the picture?"])
        self.assertEqual(answer.output.strip(), "a cat")


if __name__ == "__main__":
    unittest.main()
