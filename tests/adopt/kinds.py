"""
Every call on every kind of adopted network, as a table: python -m tests.adopt.kinds (a proof)

A kind is a chain of layers that ends linearly (A), a branching network that does (B), one of which shares hold with
gates held still (C), or one without rules for its operators, or without maps (D). The status is 1 where a call answers
otherwise than it may, or a number misses by more than the bar of its row.
"""

import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.adopt.test_adoption import reference
from tests.adopt.test_every_call import Adopted
from tests.adopt.test_served import edited_file
from tests.adopt.traits import ADOPTED

KINDS = "ABCD"
# By row: what it may be answered with, and the most that a number may miss by.
BARS = {
    "classify": ({200}, 1e-5),
    "/v2 infer": ({200}, 1e-6),
    "feature-maps": ({200, 409}, 1e-5),
    "learnt filters": ({200, 409}, None),
    "what-if": ({200, 409}, 1e-5),
    "ledger": ({200, 409}, 1e-4),
    "deciding-set": ({200, 409}, None),
    "pixels": ({200, 409}, 1e-5),
    "cam": ({200, 409}, None),
    "cell": ({200, 409}, 1e-5),
    "occlusion": ({200}, 1e-5),
    "rise": ({200}, None),
    "report": ({409}, None),
}


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


class Seen:
    """One network asked everything: by row, the status and by how much the numbers miss."""

    def __init__(self, folder, trait):
        self.one, self.model = Adopted(folder, trait), ADOPTED[trait][0]()
        self.client, self.rows = self.one.client, {}
        # One that reads levels is given the numbers of a picture rounded to them.
        self.is_told = trait != "levels"
        self.image = np.random.default_rng(9).random((1, *self.one.shape)).astype(np.float32)
        passport = self.client.get("/v1/models/one").json["passport"]
        self.kind = self._kind(passport)
        made = {name for node in self.model.graph.node for name in node.output}
        self.layers = [layer for layer in passport["layers"] if layer["op"] != "linear" and layer["source"] in made]
        self.ask()

    @staticmethod
    def _kind(passport):
        credit = passport["credit"]
        if credit.get("refused") or set(credit["exactness"]) == {"image"}:
            return "D"
        if not any(credit["exactness"][name] == "global" for name in credit["whole"]):
            return "C"
        before = ["image"]
        for layer in passport["layers"]:
            if layer["reads"] != before:
                return "B"
            before = [layer["name"]]
        return "A"

    def post(self, path, query=""):
        body = npy(np.moveaxis(self.image, 1, 3)[0].squeeze())
        return self.client.post(f"{path}?prepare=none&{query}", data=body, content_type="application/x-npy")

    def note(self, row, status, missed=0.0):
        self.rows.setdefault(row, []).append((status, missed))

    def explained(self, row, query=""):
        answer = self.post("/v1/explain", f"method={row}&{query}")
        return answer.status_code, (answer.json["results"][0] if answer.status_code == 200 else {})

    def ask(self):
        self.logits = np.array(self.post("/v1/classify").json["results"][0]["logits"])
        largest = max(1.0, float(np.abs(self.logits).max()))
        outputs, tensors = reference(self.model, self.image, [layer["source"] for layer in self.layers])
        told = outputs[-1].reshape(-1)
        self.note("classify", 200, self._apart(self.logits, told) / largest if self.is_told else 0.0)
        tensor = {
            "name": "image",
            "datatype": "FP32",
            "shape": list(self.image.shape),
            "data": self.image.ravel().tolist(),
        }
        infer = self.client.post("/v2/models/one/infer", json={"inputs": [tensor], "outputs": [{"name": "logits"}]})
        self.note(
            "/v2 infer", infer.status_code, np.abs(np.array(infer.json["outputs"][0]["data"]) - self.logits).max()
        )
        self._maps(tensors)
        for name in self.one.convolutions or ["conv1"]:
            shown = self.client.get(f"/v1/models/one/layers/{name}/filters").status_code
            self.note("learnt filters", 409 if shown == 404 else shown)
            self._edit(name)
        status, ledger = self.explained("ledger")
        self.note("ledger", status, ledger.get("residual", 0) / largest)
        status, pixels = self.explained("pixels")
        parts = (
            [np.abs(each).sum() for each in (pixels["shares"]["pixels"], list(pixels["shares"]["biases"].values()))]
            if pixels
            else [1]
        )
        self.note("pixels", status, abs(pixels.get("residual", 0)) / max(sum(parts), 1e-30))
        for row, query in (("deciding-set", ""), ("cam", ""), ("rise", "masks=20")):
            self.note(row, self.explained(row, query)[0])
        for layer in [layer for layer in self.one.layers if layer["maps"]] or [{"name": "conv1", "shape": (1, 1, 1)}]:
            k, row, col = (size // 2 for size in layer["shape"])
            status, cell = self.explained("cell", f"layer={layer['name']}&filter={k}&row={row}&col={col}")
            size = np.abs(cell.get("products", cell.get("value", 1))).sum() + abs(cell.get("bias", 0))
            self.note("cell", status, abs(cell.get("residual", 0)) / max(size, 1e-30))
        status, covered = self.explained("occlusion", "window=7&stride=7")
        self.note("occlusion", status, self._occluded(covered))
        self.note("report", self.client.get("/v1/models/one/report").status_code)

    @staticmethod
    def _apart(logits, told):
        """Between logits and what the file tells: those, or their probabilities or the logarithms of these."""
        power = np.exp(logits - logits.max())
        chances = power / power.sum()
        return float(min(np.abs(found - told).max() for found in (logits, chances, np.log(chances))))

    def _maps(self, tensors):
        names = [layer["name"] + (".pre" if layer["op"] == "conv" else "") for layer in self.layers]
        answer = self.post("/v1/feature-maps", f"format=npz&layers={','.join(names) or 'conv1'}")
        missed = 0.0
        if answer.status_code == 200:
            arrays = np.load(io.BytesIO(answer.data))
            for name, layer in zip(names, self.layers, strict=True):
                wanted = tensors[layer["source"]].reshape(arrays[name].shape)
                if self.is_told:
                    missed = max(missed, float(np.abs(arrays[name] - wanted).max() / max(1, np.abs(wanted).max())))
        self.note("feature-maps", answer.status_code, missed)

    def _edit(self, name):
        change = {"layer": name, "filter": 0, "action": "scale", "factor": -1.5}
        answer = self.post("/v1/what-if", f"full=true&changes=[{json.dumps(change)}]")
        # Of those whose sums the file has by a convolution alone: a norm behind it is folded into its weights.
        sums = {node.output[0] for node in self.model.graph.node if node.op_type == "Conv"}
        sources = {layer["name"]: layer["source"] for layer in self.layers if layer["source"] in sums}
        missed = 0.0
        if answer.status_code == 200 and name in sources and self.is_told:
            outputs, _ = reference(edited_file(self.model, sources[name], change), self.image, [])
            after = np.array(answer.json["results"][0]["after"]["logits"])
            missed = self._apart(after, outputs[-1].reshape(-1)) / max(1.0, np.abs(after).max())
        self.note("what-if", answer.status_code, missed)

    def _occluded(self, covered):
        """Beside brute force, in windows that do not overlap."""
        if not covered:
            return 0.0
        found = np.array(covered["map"])
        image, self.image = self.image, self.image.copy()
        self.image[:, :, :7, :7] = 0
        under = self.post("/v1/classify").json["results"][0]["logits"][covered["target"]]
        self.image = image
        return abs(found[0, 0] - (covered["value"] - under)) / max(1.0, abs(covered["value"]))


def main():
    """Ask all of them; print the table, and what is beyond its bar."""
    seen, wrong = {kind: [] for kind in KINDS}, []
    for trait in sorted(ADOPTED):
        with tempfile.TemporaryDirectory() as folder:
            one = Seen(Path(folder), trait)
        seen[one.kind].append(one.rows)
        for row, noted in one.rows.items():
            may, most = BARS[row]
            wrong += [
                f"{trait}: {row}: {each}" for each in noted if each[0] not in may or (most and not each[1] <= most)
            ]
    head = " | ".join(f"{kind} ({len(seen[kind])})" for kind in KINDS)
    print(f"| call | {head} |\n|---|---|---|---|---|")
    for row in BARS:
        cells = [told([each for rows in seen[kind] for each in rows[row]], row) for kind in KINDS]
        print(f"| {row} | {' | '.join(cells)} |")
    print("\n".join(wrong) or f"{sum(map(len, seen.values()))} networks, nothing beyond its bar")
    return bool(wrong)


def told(noted, row):
    """How often a call was answered and refused, and the most that a number missed by."""
    count = {
        status: sum(1 for found, _ in noted if found == status) for status in sorted({found for found, _ in noted})
    }
    words = ", ".join(f"{status} x {times}" for status, times in count.items())
    return f"{words}; {max(missed for _, missed in noted):.0e}" if BARS[row][1] and 200 in count else words


if __name__ == "__main__":
    sys.exit(main())
