"""numbers/scales.js, in a real browser, against the formula of luminance."""

import numpy as np

from tests.web.browsing import needs_chromium

pytestmark = needs_chromium


def test_both_diverging_scales_have_paper_in_the_middle_and_grow_apart_from_it(run):
    for theme, paper in [("light", 0xF7), ("dark", 0x15)]:
        words = np.array(run("numbers/scales.js", "[...m.colourTable('diverging', given)]", theme), np.uint32)
        colours = words.view(np.uint8).reshape(256, 4)[:, :3].astype(float)
        assert abs(colours[127:129, 0].mean() - paper) <= 3
        linear = np.where(colours <= 10.31, colours / 3294.6, ((colours / 255 + 0.055) / 1.055) ** 2.4)
        lightness = linear @ [0.2126, 0.7152, 0.0722]
        away = np.diff(lightness)
        assert (away[:126] > 0).all() == (theme == "light")
        assert (away[129:] < 0).all() == (theme == "light")
