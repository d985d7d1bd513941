"""Captions over HTTP from an asyncio server: one model, as many users at a time as come.

    pip install . fastapi uvicorn
    uvicorn --app-dir examples fastapi_server:app
    curl --data-binary @models/demo/pictures/cat.jpg http://127.0.0.1:8000/caption

GALAGO_MODEL names the model; the demo model otherwise. `galago serve` speaks OpenAI's API; this is for a service with routes of
its own.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import galago
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

QUESTION = "What is in the picture?"


@asynccontextmanager
async def with_model(app: FastAPI) -> AsyncIterator[None]:
    with galago.Model(os.environ.get("GALAGO_MODEL") or galago.demo_model(), max_waiting=256) as model:
        app.state.model = model
        yield


app = FastAPI(lifespan=with_model)


@app.exception_handler(galago.Error)
async def said(_: Request, error: galago.Error) -> JSONResponse:
    return JSONResponse({"error": {"code": error.code, "message": str(error)}}, error.http_status)


@app.post("/caption")
async def caption(request: Request, question: str = QUESTION) -> dict[str, object]:
    answer = await request.app.state.model.achat(question, [await request.body()], max_tokens=64)
    return {"text": answer.text.strip(), "prompt_tokens": answer.usage.prompt_tokens}


@app.post("/stream")
async def stream(request: Request, question: str = QUESTION) -> StreamingResponse:
    pieces = request.app.state.model.achat(question, [await request.body()], max_tokens=64, stream=True)
    return StreamingResponse((str(piece) async for piece in pieces), media_type="text/plain")
