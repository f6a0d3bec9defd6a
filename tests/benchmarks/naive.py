"""A model server as people write it with Flask, on gunicorn's default worker."""

import io
import os

import numpy as np
import onnxruntime
from flask import Flask, jsonify, request
from PIL import Image

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
network = onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options, providers=["CPUExecutionProvider"])
app = Flask(__name__)


def answer(levels):
    image = np.asarray(levels, np.float32)[None, None] / 255
    probabilities = network.run(None, {"image": image})[0][0]
    return jsonify(digit=int(probabilities.argmax()), probabilities=probabilities.tolist())


def decode(data):
    return Image.open(io.BytesIO(data)).convert("L").resize((28, 28))


@app.post("/png")
def png():
    return answer(decode(request.get_data()))


@app.post("/json")
def numbers():
    return answer(request.get_json()["image"])


@app.post("/multipart")
def multipart():
    return answer(decode(request.files["image"].read()))
