"""The dataset report, from scratch: NumPy on the served maps, PyTorch and edited ONNX files for the accuracy."""

import json

import numpy as np
import pytest
from scipy.stats import entropy

from service.network.passport import receptive_fields
from tests.networks import STRUCTURES, random_network
from training.data.mnist import LabelledDigits
from training.evaluation.report import CLUSTER_DISTANCE, TOP, build_report, write_report

NAMES = ["lecture", "overlap", "means"]


@pytest.fixture(scope="module")
def part():
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (300, 28, 28)) * (random.random((300, 28, 28)) < 0.3)
    return LabelledDigits(images.astype(np.uint8), random.integers(0, 10, 300).astype(np.uint8))


@pytest.fixture(scope="module", params=NAMES)
def case(request, part, tmp_path_factory):
    """A network, what is said of it, its maps and its logits."""
    network = random_network(tmp_path_factory.mktemp("models"), request.param, 3)
    report = build_report(network, part, "test", say=lambda _: None)
    verdicts, maps = network.analyse(part.as_network_input(), list(network.passport.map_shapes()))
    return network, report, maps, verdicts.logits


def rounded(expected):
    return pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_report_names_its_model_and_its_data(case, part):
    network, report, _, logits = case
    assert (report["model"], report["sha256"]) == (network.name, network.sha256)
    assert report["data"] == {
        "name": "MNIST",
        "part": "test",
        "images": 300,
        "classes": np.bincount(part.labels, minlength=10).tolist(),
    }
    right = logits.argmax(axis=1) == part.labels
    assert report["accuracy"] == rounded(right.mean())
    assert report["accuracy_per_class"] == rounded([right[part.labels == c].mean() for c in range(10)])


def test_activation_statistics_are_those_of_the_served_maps(case):
    _, report, maps, _ = case
    for layer in report["layers"]:
        whole = maps[f"{layer['name']}.act"].astype(np.float64)
        for found in layer["filters"]:
            values = whole[:, found["index"]]
            for name in ("mean", "std", "min", "max"):
                assert found[name] == rounded(getattr(values, name)())
            assert found["zeros"] == rounded((values == 0).mean())
            for percent, value in found["percentiles"].items():
                assert value == rounded(np.percentile(values, float(percent)))
            assert found["dead"] == (np.abs(values).max() <= 1e-6 * np.abs(whole).max())
            if layer["activation"] == "tanh":
                assert found["saturated"] == rounded((np.abs(values) > 0.99).mean())
            else:
                assert "saturated" not in found


def test_class_means_and_selectivity(case, part):
    _, report, maps, _ = case
    for layer in report["layers"]:
        means = maps[f"{layer['name']}.act"].astype(np.float64).mean(axis=(2, 3))
        for found in layer["filters"]:
            own = [means[part.labels == c, found["index"]].mean() for c in range(10)]
            assert found["class_means"] == rounded(own)
            assert found["favourite"] == int(np.argmax(own))
            highest, rest = max(own), np.mean(sorted(own)[:-1])
            if layer["activation"] == "relu":
                assert found["selectivity"] == rounded((highest - rest) / (highest + rest))
            inside = means[part.labels == found["favourite"], found["index"]]
            outside = means[part.labels != found["favourite"], found["index"]]
            distance = (inside.mean() - outside.mean()) / np.sqrt((inside.var() + outside.var()) / 2)
            assert found["d_prime"] == rounded(distance)


def test_the_top_images_are_those_with_the_largest_peaks_and_say_where(case, part):
    network, report, maps, _ = case
    for layer in report["layers"]:
        whole = maps[f"{layer['name']}.act"]
        fields = receptive_fields(network.passport.layers)[layer["name"]]
        assert layer["receptive_field"]["size"] == [field.size for field in fields]
        for found in layer["filters"]:
            peaks = whole[:, found["index"]].max(axis=(1, 2))
            best = sorted(range(300), key=lambda n: (-peaks[n], n))
            assert [entry["image"] for entry in found["top"]] == best[:TOP]
            assert [entry["image"] for entry in found["bottom"]] == sorted(range(300), key=lambda n: (peaks[n], n))[
                :TOP
            ]
            for entry in found["top"]:
                assert entry["label"] == part.labels[entry["image"]]
                assert entry["value"] == rounded(whole[entry["image"], found["index"], entry["row"], entry["col"]])
            assert found["precision"] == rounded(np.bincount(part.labels[best[:100]]).max() / 100)


def test_a_filter_off_changes_the_accuracy_as_in_the_edited_file(case, part, tmp_path):
    import onnxruntime

    network, report, _, logits = case
    from training.export.onnx_files import Export, lean_model

    structure = STRUCTURES[network.name]
    right = logits.argmax(axis=1) == part.labels
    for layer in report["layers"]:
        for found in layer["filters"]:
            edited = {name: array.copy() for name, array in network.weights.items()}
            for weight in ("weight", "bias"):
                edited[f"{layer['name']}.{weight}"][found["index"]] = 0
            model = lean_model(Export(network.name, "1", structure, edited))
            session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            now = session.run(["logits"], {"image": part.as_network_input()})[0].argmax(axis=1) == part.labels
            assert found["off"]["accuracy"] == rounded(now.mean() - right.mean())
            per_class = [now[part.labels == c].mean() - right[part.labels == c].mean() for c in range(10)]
            assert found["off"]["per_class"] == rounded(per_class)


def test_for_the_filters_the_head_reads_zero_and_mean_are_exact_from_the_shares(case, part):
    network, report, maps, logits = case
    last = network.passport.layers[-2]
    head = network.weights["head.weight"].astype(np.float64)
    read = maps[last.maps[-1]].astype(np.float64)
    reduce = network.passport.head.reduce
    right = logits.argmax(axis=1) == part.labels
    assert np.array(report["head_input_mean"]) == rounded(read.mean(axis=0))
    for found in report["head_input"]["filters"]:
        for name, level in (("at_zero", 0), ("at_mean", read.mean(axis=0)[found["index"]])):
            edited = read.copy()
            edited[:, found["index"]] = level
            flat = edited.mean(axis=(2, 3)) if reduce == "mean" else edited.reshape(len(edited), -1)
            now = (flat @ head.T + network.weights["head.bias"]).argmax(axis=1) == part.labels
            # Rounding may turn a verdict that hung in the balance.
            assert found[name]["accuracy"] == pytest.approx(now.mean() - right.mean(), abs=1 / 300 + 1e-6)
    assert sum(found["part"] for found in report["head_input"]["filters"]) == pytest.approx(1, abs=1e-3)


def test_how_alike_the_filters_are(case):
    network, report, maps, _ = case
    for layer in report["layers"]:
        weights = network.weights[f"{layer['name']}.weight"].reshape(layer["shape"][0], -1).astype(np.float64)
        unit = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        cells = maps[f"{layer['name']}.act"].transpose(1, 0, 2, 3).reshape(layer["shape"][0], -1).astype(np.float64)
        np.testing.assert_allclose(layer["cosine"], unit @ unit.T, atol=1e-4)
        np.testing.assert_allclose(layer["correlation"], np.corrcoef(cells), atol=1e-4)
        eigenvalues = np.linalg.eigvalsh(np.cov(cells))
        assert layer["effective_rank"] == pytest.approx(np.exp(entropy(eigenvalues / eigenvalues.sum())), rel=1e-3)
        for found in layer["filters"]:
            others = np.delete(cells, found["index"], axis=0)
            design = np.vstack([others, np.ones(others.shape[1])]).T
            target = cells[found["index"]]
            rest = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
            assert found["r2"] == pytest.approx(1 - rest.var() / target.var(), abs=1e-3)


def test_clusters_join_filters_that_are_alike_up_to_sign(tmp_path, part):
    from service.network.sessions import Network
    from tests.networks import random_weights, write_model

    weights = random_weights(STRUCTURES["lecture"], 5)
    weights["conv1.weight"][3] = -2 * weights["conv1.weight"][1]
    network = Network(write_model(tmp_path, "lecture", STRUCTURES["lecture"], weights))
    (layer,) = build_report(network, part[:50], "test", say=lambda _: None)["layers"]
    clusters = [found["cluster"] for found in layer["filters"]]
    assert clusters[1] == clusters[3]
    cosine = np.abs(layer["cosine"])
    assert all(
        clusters[a] != clusters[b] for a in range(5) for b in range(5) if cosine[a, b] < 0.2 and CLUSTER_DISTANCE == 0.5
    )
    assert clusters[0] == 0


def test_a_dead_filter_is_called_dead(tmp_path, part):
    from service.network.sessions import Network
    from tests.networks import random_weights, write_model

    weights = random_weights(STRUCTURES["overlap"], 5)
    weights["conv1.weight"][2], weights["conv1.bias"][2] = 0, -1
    network = Network(write_model(tmp_path, "overlap", STRUCTURES["overlap"], weights))
    layer = build_report(network, part[:50], "test", say=lambda _: None)["layers"][0]
    assert [found["dead"] for found in layer["filters"]] == [False, False, True, False]
    assert layer["filters"][2]["r2"] is None
    assert layer["filters"][2]["off"]["accuracy"] == 0


def test_the_report_is_written_beside_the_model_and_read_by_it(tmp_path, part):
    from service.network.sessions import Network

    network = random_network(tmp_path, "deep", 0)
    folder = tmp_path / "0" / "deep" / "1"
    assert network.report is None
    path = write_report(folder, part[:20], "test", say=lambda _: None)
    served = Network(folder)
    assert served.report == json.loads(path.read_text())
    assert served.mean_maps.shape == served.passport.head.in_shape


def test_a_report_of_another_model_is_not_served(tmp_path, part):
    from service.network.sessions import Network

    random_network(tmp_path, "deep", 0)
    folder = tmp_path / "0" / "deep" / "1"
    path = write_report(folder, part[:20], "test", say=lambda _: None)
    path.write_text(path.read_text().replace(json.loads(path.read_text())["sha256"], "0" * 64))
    assert Network(folder).report is None


def test_the_command_writes_the_report_and_says_where(tmp_path, monkeypatch, part):
    from click.testing import CliRunner

    from training import cli
    from training.data.mnist import Mnist

    random_network(tmp_path, "lecture", 0)
    folder = tmp_path / "0" / "lecture" / "1"
    monkeypatch.setattr(cli, "find_or_fetch_mnist", lambda _: tmp_path)
    monkeypatch.setattr(cli, "load_mnist", lambda _: Mnist(part[:5], part[5:15], part[15:40]))
    said = CliRunner().invoke(cli.main, ["report", str(folder), "--part", "validation"]).output
    assert "conv1: 5 filters over 10 digits" in said
    assert str(folder / "report.json") in said
    assert json.loads((folder / "report.json").read_text())["data"]["part"] == "validation"
