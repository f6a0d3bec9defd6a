"""The network that is trained in the page: its gradients against NumPy's and autograd's, and what it reaches."""

import re

import numpy as np
import torch
from playwright.sync_api import expect

from tests.web.browsing import SEVEN, needs_chromium
from training.networks.lecture import forward, gradients, new_network

pytestmark = needs_chromium
NAMES = {"filters": "filters", "bias": "bias", "head": "head", "headBias": "head_bias"}
OURS = """(() => {
    const flat = Object.entries(given.network).map(([name, all]) => [name, Float64Array.from(all)]);
    const network = Object.fromEntries(flat);
    const lesson = {images: Float64Array.from(given.images), labels: given.labels};
    const slope = m.gradients(network, lesson, given.chosen);
    const plain = Object.fromEntries(Object.entries(slope).map(([name, all]) => [name, all.length ? [...all] : all]));
    return {...plain, shares: given.chosen.map(n => [...m.look(network, lesson.images, 784 * n).shares])};
})()"""


def test_every_gradient_of_the_page_is_that_of_the_lecture_and_of_autograd(run):
    drawn = "(found => ({images: [...found.images], labels: [...found.labels]}))(m.drawnLesson(7, 2))"
    lesson = run("learn/drawn.js", drawn)
    random = np.random.default_rng(11)
    images = np.concatenate(
        [np.reshape(lesson["images"], (20, 28, 28)), random.random((3, 28, 28)), np.zeros((1, 28, 28))]
    )
    labels = np.array([*lesson["labels"], *random.integers(0, 10, 4)])
    chosen = random.choice(len(labels), 16, replace=False)
    network = new_network(seed=5)
    network.bias[:] = random.normal(0, 0.1, 20)
    given = {
        "network": {name: getattr(network, ours).ravel().tolist() for name, ours in NAMES.items()},
        "images": images.ravel().tolist(), "labels": labels.tolist(), "chosen": chosen.tolist(),
    }  # fmt: skip
    found = run("learn/gradient.js", OURS, given)
    expected = gradients(network, images[chosen], labels[chosen])
    tensors = {name: torch.tensor(getattr(network, name), requires_grad=True) for name in NAMES.values()}
    sums = torch.nn.functional.conv2d(
        torch.tensor(images[chosen])[:, None], tensors["filters"][:, None], tensors["bias"], stride=2
    )
    pooled = torch.nn.functional.max_pool2d(torch.tanh(sums), 2).flatten(1)
    loss = torch.nn.functional.cross_entropy(
        pooled @ tensors["head"].T + tensors["head_bias"], torch.tensor(labels[chosen])
    )
    loss.backward()
    np.testing.assert_allclose(found["loss"], expected.loss, rtol=1e-9)
    np.testing.assert_allclose(found["loss"], loss.item(), rtol=1e-9)
    np.testing.assert_allclose(found["shares"], forward(network, images[chosen]).probabilities, atol=1e-12)
    for name, ours in NAMES.items():
        for oracle in (getattr(expected, ours), tensors[ours].grad.numpy()):
            np.testing.assert_allclose(
                np.reshape(found[name], oracle.shape), oracle, rtol=1e-5, atol=1e-9, err_msg=name
            )


def test_drawings_of_one_seed_are_the_same_and_of_another_are_not_and_fill_the_form_of_mnist(run):
    drawn = "[1, 1, 2].map(seed => [...m.drawnLesson(seed, 3).images])"
    first, again, other = (np.reshape(images, (30, 28, 28)) for images in run("learn/drawn.js", drawn))
    np.testing.assert_array_equal(first, again)
    assert not any(np.array_equal(a, b) for a in first for b in other)
    for image in [*first, *other]:
        inked = np.argwhere(image > 0)
        assert 17 <= np.ptp(inked, 0).max() + 1 <= 22
        mass = (np.indices((28, 28)) * image).sum((1, 2)) / image.sum()
        np.testing.assert_allclose(mass, 13.5, atol=1)


def pictures(said):
    """How many pictures were looked at."""
    return int(said.text_content().split(" ")[0].replace(",", ""))


def test_it_learns_here_what_is_drawn_and_shown_and_asks_the_service_nothing(visit):
    opened = visit()
    opened.expected = ["404"]  # a model without the steps of its training
    page = opened.open("#view=learn")
    said = page.locator("#training-said")
    opened.draw(SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    page.wait_for_timeout(900)
    opened.rest()
    asked = len(opened.urls)
    filters = page.locator("#training-filters canvas")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Begin anew").click()
    expect(said).to_contain_text("Untrained it reads")
    noise = filters.evaluate_all("all => all.map(canvas => canvas.toDataURL())")
    page.get_by_role("button", name="Add your digit as a 7").click()
    expect(page.locator("#training-added")).to_contain_text("1 of yours: 1 × 7")  # noqa: RUF001
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_function(
        "() => parseFloat(document.getElementById('training-said').innerText.split(': ')[1]) >= 80", timeout=60_000
    )
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#training-reads")).to_have_text(re.compile("It reads your digit as 7"))
    learnt = filters.evaluate_all("all => all.map(canvas => canvas.toDataURL())")
    assert all(before != after for before, after in zip(noise, learnt, strict=True))
    assert page.locator("#training .curve .right").get_attribute("d").count("L") >= 2
    page.locator("#tab-lecture").click()
    expect(page.locator(".step .grid-map canvas")).to_be_visible()
    assert not any("/v1/" in url for url in opened.urls[asked:])
    page.locator("#tab-learn").click()
    page.get_by_role("button", name="Train", exact=True).click()
    page.locator("#tab-lecture").click()
    before = pictures(said)
    page.wait_for_timeout(2000)
    page.locator("#tab-learn").click()
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(300)
    assert pictures(said) - before <= 500  # two seconds unseen would be some thousand
    page.get_by_role("button", name="Begin anew").click()
    expect(said).to_contain_text("Untrained it reads")
    assert filters.evaluate_all("all => all.map(canvas => canvas.toDataURL())") == noise
