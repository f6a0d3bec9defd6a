"""A model server as people write it with Flask: what the benchmark of requests measures the service against."""

import io
import os

import numpy as np
import onnxruntime
from flask import Flask, jsonify, request
from PIL import Image

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["NAIVE_MODEL"], options)
app = Flask(__name__)


def answer(levels):
    image = levels.astype(np.float32)[None, None] / 255
    probabilities = session.run(["probabilities"], {"image": image})[0][0]
    return jsonify(digit=int(probabilities.argmax()), probabilities=probabilities.tolist())


def decode(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("L").resize((28, 28)))


@app.get("/readyz")
def ready():
    return jsonify(ready=True)


@app.post("/png")
def png():
    return answer(decode(request.get_data()))


@app.post("/json")
def numbers():
    return answer(np.array(request.get_json()["image"]))


@app.post("/multipart")
def multipart():
    return answer(decode(request.files["image"].read()))
