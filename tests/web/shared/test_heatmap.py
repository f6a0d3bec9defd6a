"""shared/heatmap.js, in a real browser: arrays as elements."""

import numpy as np
import pytest

from tests.web.browsing import needs_chromium

pytestmark = needs_chromium


@pytest.mark.parametrize("has_products", [True, False])
def test_a_sum_is_written_as_patch_times_filter_equals_products_with_every_number_in_its_cell(run, has_products):
    random = np.random.default_rng(12)
    patch, weights = random.integers(-9, 10, (2, 6)).tolist()
    products = [a * b for a, b in zip(patch, weights, strict=True)]
    written = run(
        "shared/heatmap.js",
        """m.multiplication(given, {rows: 2, columns: 3, cell: 40, theme: "light"}).map((each) => [
            each.querySelector("svg")?.getAttribute("aria-label") ?? each.textContent,
            [...each.querySelectorAll("text")].map((text) => text.textContent.replace("\\u2212", "-")),
        ])""",
        {"patch": patch, "weights": weights, "products": products if has_products else None},
    )
    texts = [[str(value) for value in values] for values in (patch, weights, products)]
    expected = [["patch, 2 by 3", texts[0]], ["\u00d7", []], ["filter, 2 by 3", texts[1]], ["=", []]]
    assert written == expected + ([["products, 2 by 3", texts[2]]] if has_products else [])
