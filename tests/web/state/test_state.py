"""state/state.js, in a real browser: what is chosen, and how it is changed."""

import numpy as np

from tests.web.browsing import needs_chromium

pytestmark = needs_chromium


def test_a_switch_turns_one_filter_off_or_on_again_and_leaves_every_other_as_it_was(run):
    random = np.random.default_rng(11)
    kinds = [{"action": "off"}, {"action": "scale", "factor": 0.5}, {"action": "replace", "weights": [[1]], "bias": 0}]
    for _ in range(40):
        cells = {(f"conv{random.integers(1, 4)}", int(random.integers(6))) for _ in range(6)}
        changes = [{"layer": layer, "filter": k, **kinds[random.integers(3)]} for layer, k in sorted(cells)]
        layer, k = f"conv{random.integers(1, 4)}", int(random.integers(6))
        was_off = {"layer": layer, "filter": k, "action": "off"} in changes
        after, is_off = run(
            "state/state.js",
            "(({changes, layer, k}) => [m.toggled(changes, layer, k), m.isOff(changes, layer, k)])(given)",
            {"changes": changes, "layer": layer, "k": k},
        )
        others = [each for each in changes if (each["layer"], each["filter"]) != (layer, k)]
        assert is_off == was_off
        assert after == others + ([] if was_off else [{"layer": layer, "filter": k, "action": "off"}])
