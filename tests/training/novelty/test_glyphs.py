"""Letters and signs as a pen goes."""

from training.novelty.glyphs import GLYPHS, strokes


def test_every_glyph_is_strokes_within_its_box():
    for glyph in GLYPHS:
        for points, _ in strokes(glyph):
            assert len(points) >= 2, glyph
            assert (points >= 0).all(), glyph
            assert (points <= 1).all(), glyph
