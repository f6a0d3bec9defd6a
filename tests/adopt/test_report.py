"""What an adopted network's filters respond to over a folder of pictures, counted again by brute force."""

import json

import numpy as np
import pytest
from PIL import Image

from service.adopt.adoption import make_model
from service.adopt.asked import AdoptionOptions, Refused
from service.app import create_app
from service.core.inputs import fitted
from service.network.sessions import Network
from service.settings import Settings
from tests.adopt import traits
from tests.api.contract import SCHEMAS, check

LABELS = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two classes with pictures, the other two with none."""
    folder, random = tmp_path_factory.mktemp("labelled"), np.random.default_rng(4)
    for label, count in (("b", 7), ("d", 5)):
        (folder / label).mkdir()
        for index in range(count):
            Image.fromarray(random.integers(0, 256, (30, 26, 3), np.uint8)).save(folder / label / f"{index}.png")
    return folder


def adopted(folder, pictures, make=traits.colour, name="one", labels=LABELS):
    place = folder / "models" / name / "1"
    place.mkdir(parents=True)
    (folder / "net.onnx").write_bytes(make().SerializeToString())
    asked = AdoptionOptions(
        model=str(folder / "net.onnx"), folder=str(place), name=name, version="1", labels=labels, report=str(pictures)
    )
    make_model(asked)
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory, pictures):
    return adopted(tmp_path_factory.mktemp("adopted"), pictures)


@pytest.fixture(scope="module")
def client(place):
    return create_app(Settings(models=str(place.parent.parent), default_model="one")).test_client()


def test_a_report_tells_what_every_filter_does_on_the_pictures(place, client, pictures):
    report = client.get("/v1/models/one/report").json
    check(report, SCHEMAS["AdoptedReport"])
    network = Network(place)
    assert report["data"] == {"name": pictures.name, "part": "", "images": 12, "classes": [0, 7, 0, 5]}
    read = [np.asarray(Image.open(pictures / name)) for name in report["pictures"]]
    assert sorted(report["pictures"]) == sorted(f"{p.parent.name}/{p.name}" for p in pictures.glob("*/*"))
    images = np.stack([fitted(each, (3, 32, 20)).image for each in read])
    labels = [LABELS.index(name[0]) for name in report["pictures"]]
    assert labels[:4] == [1, 3, 1, 3]  # one of each class before a second of any
    verdicts, maps = network.analyse(images, ["conv1.act", "pool1"])
    assert report["accuracy"] == pytest.approx(np.mean(np.array(verdicts.classes) == labels), abs=1e-6)
    (layer,) = report["layers"]
    acts = maps["conv1.act"].astype(np.float64)
    for k, told in enumerate(layer["filters"]):
        own = acts[:, k]
        for name, wanted in (("mean", own.mean()), ("std", own.std()), ("min", own.min()), ("max", own.max()),
                             ("zeros", (own == 0).mean())):  # fmt: skip
            assert told[name] == pytest.approx(wanted, rel=1e-4, abs=1e-6), name
        peaks = own.reshape(12, -1).max(axis=1)
        for entries, order in ((told["top"], np.argsort(-peaks)), (told["bottom"], np.argsort(peaks))):
            assert [entry["image"] for entry in entries] == order[:9].tolist()
            for entry in entries:
                assert entry["label"] == labels[entry["image"]]
                assert own[entry["image"], entry["row"], entry["col"]] == pytest.approx(entry["value"], rel=1e-4)
        means = [own[np.array(labels) == c].mean() if c in labels else 0 for c in range(4)]
        np.testing.assert_allclose(told["class_means"], means, rtol=1e-4, atol=1e-6)
        assert told["favourite"] == max((1, 3), key=lambda c: means[c])
    np.testing.assert_allclose(report["head_input_mean"], maps["pool1"].mean(axis=0), rtol=1e-4, atol=1e-6)
    assert client.get("/v1/models/one").json["calls"]["GET /v1/models/NAME/report"] == ""
    assert client.get("/v1/models/one/report?layer=conv1").json["layers"] == report["layers"]


def test_of_more_classes_than_a_byte_counts_a_report_has_the_labels_and_their_indices(tmp_path):
    labels, random = [f"kind {index}" for index in range(traits.MANY)], np.random.default_rng(4)
    for label in ("kind 150", "kind 199", "kind 3"):
        (tmp_path / "seen" / label).mkdir(parents=True)
        for index in range(3):
            levels = random.integers(0, 256, (24, 36, 3), np.uint8)
            Image.fromarray(levels).save(tmp_path / "seen" / label / f"{index}.png")
    place = adopted(tmp_path, tmp_path / "seen", traits.many_classes, labels=tuple(labels))
    client = create_app(Settings(models=str(place.parent.parent), default_model="one")).test_client()
    report = client.get("/v1/models/one/report").json
    check(report, SCHEMAS["AdoptedReport"])
    assert {index: count for index, count in enumerate(report["data"]["classes"]) if count} == {3: 3, 150: 3, 199: 3}
    for told in report["layers"][0]["filters"]:
        assert "class_means" not in told
        assert {each["label"] for each in told["top"]} == {3, 150, 199}
        assert all(report["pictures"][each["image"]].startswith(f"kind {each['label']}/") for each in told["top"])
        assert told["favourite"] in {3, 150, 199}
    (path,) = (tmp_path / "seen" / "kind 199").glob("0.png")
    (result,) = client.post("/v1/explain?baseline=mean&rival=3&target=199", data=path.read_bytes()).json["results"]
    assert result["classes"] == [199, 3]


def test_its_mean_is_a_baseline_of_the_ledger(place, client, pictures):
    path = next(pictures.glob("b/*"))
    (result,) = client.post("/v1/explain?baseline=mean&full=true", data=path.read_bytes()).json["results"]
    network = Network(place)
    image = fitted(np.asarray(Image.open(path)), (3, 32, 20)).image
    verdicts, maps = network.analyse(image[None], ["pool1"])
    gains = network.creditor.walk(image, np.eye(4), ["pool1"]).gains["pool1"]
    wanted = gains * (maps["pool1"][0] - network.mean_maps)
    np.testing.assert_allclose(result["shares"]["full"], wanted, atol=1e-5)
    sums = np.array(result["base"]) + wanted.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(sums, verdicts.logits[0], atol=1e-4)
    refused = client.post("/v1/explain?baseline=mean&layer=conv1&method=ledger", data=path.read_bytes())
    assert (refused.status_code, "known at pool1" in refused.json["detail"]) == (409, True)


def test_a_folder_without_pictures_or_a_network_without_filters_is_refused(tmp_path, pictures):
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="no picture in folders of labels"):
        adopted(tmp_path, tmp_path / "empty")
    with pytest.raises(Refused, match="no convolution"):
        adopted(tmp_path, pictures, traits.no_maps, "dense")


def test_without_a_report_the_call_says_how_one_is_made(tmp_path, pictures):
    place = adopted(tmp_path, pictures)
    (place / "report.json").unlink()
    client = create_app(Settings(models=str(tmp_path / "models"), default_model="one")).test_client()
    answer = client.get("/v1/models/one/report")
    assert (answer.status_code, "--report FOLDER" in answer.json["detail"]) == (409, True)
    passport = json.loads((place / "passport.json").read_text())
    assert passport["labels"] == list(LABELS)
