"""The ledger against brute force: every subset of filters, every subset that could decide."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest

from service.core.ledger import activation_map, deciding_set, head_weights, ledger, spread


def random_case(seed, classes=4, filters=5, rows=3, columns=2):
    random = np.random.default_rng(seed)
    weights = random.normal(size=(classes, filters, rows, columns))
    maps, bias = random.normal(size=(filters, rows, columns)), random.normal(size=classes)
    return weights, bias, maps, bias + np.einsum("ckij,kij->c", weights, maps)


def test_shares_and_base_sum_to_the_logits_for_any_baseline():
    weights, bias, maps, logits = random_case(1)
    for baseline in (None, np.random.default_rng(2).normal(size=maps.shape)):
        entry = ledger(weights, bias, maps, logits, baseline)
        np.testing.assert_allclose(entry.base + entry.filters.sum(axis=1), logits)
        np.testing.assert_allclose(entry.base + entry.places.sum(axis=(1, 2)), logits)
        assert entry.residual < 1e-12


def test_a_wrong_logit_shows_in_the_residual():
    weights, bias, maps, logits = random_case(1)
    assert ledger(weights, bias, maps, logits + np.eye(4)[2] / 2).residual == pytest.approx(0.5)


@pytest.mark.parametrize("with_baseline", [False, True])
@pytest.mark.parametrize("filters", [3, 6, 10])
def test_a_filters_share_is_its_shapley_value_by_brute_force(filters, with_baseline, proof):
    if filters == 10 and not proof:
        pytest.skip("1024 subsets of 10 filters: under make proof")
    weights, bias, maps, logits = random_case(filters, filters=filters)
    absent = np.random.default_rng(5).normal(size=maps.shape) if with_baseline else np.zeros_like(maps)

    def value(present):
        chosen = np.isin(np.arange(filters), present)[:, None, None]
        return bias + np.einsum("ckij,kij->c", weights, np.where(chosen, maps, absent))

    values = {each: value(list(each)) for size in range(filters + 1) for each in combinations(range(filters), size)}
    shapley = np.zeros((len(bias), filters))
    for k in range(filters):
        for subset in (each for each in values if k not in each):
            weight = factorial(len(subset)) * factorial(filters - len(subset) - 1) / factorial(filters)
            shapley[:, k] += weight * (values[tuple(sorted((*subset, k)))] - values[subset])
    found = ledger(weights, bias, maps, logits, absent if with_baseline else None)
    np.testing.assert_allclose(found.filters, shapley, atol=1e-12)
    np.testing.assert_allclose(found.base, values[()])


def test_the_margin_is_the_difference_of_two_ledgers():
    weights, bias, maps, logits = random_case(3)
    lead = ledger(weights, bias, maps, logits).margin(2, 0)
    assert lead.logits[0] == pytest.approx(logits[2] - logits[0])
    np.testing.assert_allclose(lead.shares[0], (weights[2] - weights[0]) * maps)
    assert lead.residual < 1e-12


@pytest.mark.parametrize("seed", range(30))
def test_the_deciding_set_is_the_smallest_of_all_subsets(seed):
    random = np.random.default_rng(seed)
    classes, count = 3, int(random.integers(1, 8))
    shares, base = random.normal(size=(classes, count)), random.normal(size=classes)
    logits = base + shares.sum(axis=1)
    target = int(random.integers(classes))

    def ends_the_lead(subset):
        after = logits - shares[:, list(subset)].sum(axis=1)
        return bool((np.delete(after, target) >= after[target]).any())

    sizes = [size for size in range(count + 1) if any(map(ends_the_lead, combinations(range(count), size)))]
    found = deciding_set(base, shares, logits, target)
    assert found.found == bool(sizes)
    if sizes:
        assert len(found.members) == sizes[0]
        assert ends_the_lead(found.members)


def test_a_lead_that_the_base_alone_gives_has_no_deciding_set():
    found = deciding_set(np.array([5.0, 0.0]), np.array([[1.0, -1.0], [0.0, 0.0]]), [5.0, 0.0], target=0)
    assert not found.found
    assert (found.members, found.margins_after) == ([0], [4.0])


def test_a_class_that_does_not_lead_needs_nothing_taken_away():
    found = deciding_set(np.zeros(2), np.array([[1.0], [2.0]]), [1.0, 2.0], target=0)
    assert (found.found, found.members, found.margin) == (True, [], -1.0)


def test_a_head_of_means_is_a_flat_head_with_its_weights_spread_out():
    random = np.random.default_rng(4)
    weight, maps = random.normal(size=(10, 6)), random.normal(size=(6, 3, 4))
    laid = head_weights(weight, maps.shape, "mean")
    np.testing.assert_allclose(np.einsum("ckij,kij->c", laid, maps), weight @ maps.mean(axis=(1, 2)))


def test_a_flat_head_is_read_in_c_order():
    random = np.random.default_rng(4)
    weight, maps = random.normal(size=(10, 24)), random.normal(size=(2, 3, 4))
    laid = head_weights(weight, maps.shape)
    np.testing.assert_allclose(np.einsum("ckij,kij->c", laid, maps), weight @ maps.ravel())


def test_with_weights_alike_at_every_place_the_three_activation_maps_agree_up_to_scale():
    random = np.random.default_rng(5)
    maps = random.normal(size=(6, 3, 4))
    weights = np.broadcast_to(random.normal(size=(6, 1, 1)), maps.shape)
    hirescam = activation_map(weights, maps, "hirescam")
    np.testing.assert_allclose(activation_map(weights, maps, "gradcam"), hirescam)
    np.testing.assert_allclose(activation_map(weights, maps, "cam"), 12 * hirescam)


def test_a_coarse_map_is_spread_linearly_between_the_centres_of_its_cells():
    from scipy.interpolate import RegularGridInterpolator

    cells = np.random.default_rng(6).normal(size=(3, 4))
    rows, columns = [4.5, 12.5, 20.5], [2.0, 9.0, 16.0, 23.0]
    pixels = np.arange(28)
    at = np.stack(np.meshgrid(np.clip(pixels, 4.5, 20.5), np.clip(pixels, 2, 23), indexing="ij"), axis=-1)
    expected = RegularGridInterpolator((rows, columns), cells)(at)
    np.testing.assert_allclose(spread(cells, rows, columns, (28, 28)), expected, atol=1e-12)
