"""A model server as people write it with FastAPI, on uvicorn with httptools and uvloop: what the service is held to."""

import io
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, Request, UploadFile
from PIL import Image
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
network = onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options, providers=["CPUExecutionProvider"])
app = FastAPI()


class Numbers(BaseModel):
    image: list[list[int]]


class Verdict(BaseModel):
    digit: int
    probabilities: list[float]


def classify(levels):
    image = np.asarray(levels, np.float32)[None, None] / 255
    probabilities = network.run(None, {"image": image})[0][0]
    return Verdict(digit=int(probabilities.argmax()), probabilities=probabilities.tolist())


def decode(data):
    picture = Image.open(io.BytesIO(data)).convert("L")
    return picture if picture.size == (28, 28) else picture.resize((28, 28))


@app.post("/png")
async def png(request: Request) -> Verdict:
    return classify(decode(await request.body()))


@app.post("/json")
async def numbers(posted: Numbers) -> Verdict:
    if np.shape(posted.image) != (28, 28):
        raise ValueError("image must be 28 x 28")
    return classify(posted.image)


@app.post("/multipart")
async def multipart(image: UploadFile) -> Verdict:
    return classify(decode(await image.read()))
