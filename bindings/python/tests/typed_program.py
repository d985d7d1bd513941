"""A program as its author's type checker sees it; it is checked, not run."""

import asyncio

import galago
import numpy
import PIL.Image
from numpy.typing import NDArray
from typing_extensions import assert_type


def main() -> None:
    model = galago.Model("model", dtype="q8", threads=2)
    picture = PIL.Image.open("cat.jpg")
    pixels: NDArray[numpy.uint8] = numpy.zeros((4, 4, 3), numpy.uint8)
    answer = model.chat("What is this?", ["cat.jpg", picture, pixels, b"bytes", galago.image("cat.jpg")], max_tokens=3)
    assert_type(answer, galago.Answer)
    assert_type(answer.text, str)
    stream = model.chat([{"role": "user", "content": "Hello"}], stream=True)
    assert_type(stream, galago.Stream)
    for piece in stream:
        assert_type(piece, galago.Piece)
    assert_type(stream.answer.text, str)
    answers = model.generate(["a", {"prompt": "b"}, galago.Request("c", [picture])], progress=False, temperature=0.5)
    assert_type(answers, list[galago.Answer])
    embedder = galago.Embedder("siglip")
    assert_type(embedder.embed_images([pixels]), NDArray[numpy.float32])
    model.chat("What is this?", max_token=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    galago.Model("model", dtype="q5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def later() -> None:
    model = galago.Model("model")
    assert_type(await model.achat("What is this?"), galago.Answer)
    async for piece in model.achat("What is this?", stream=True):
        assert_type(piece.text, str)


if __name__ == "__main__":
    main()
    asyncio.run(later())
