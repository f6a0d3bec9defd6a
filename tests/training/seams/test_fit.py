"""The seam network: a short training learns."""

from dataclasses import replace

import torch

from tests.training.seams.test_strings import CLEAN, DRAWN
from training.seams.fit import fit_seams, stacked
from training.seams.knobs import SeamKnobs
from training.seams.strings import seam_strings

KNOBS = replace(SeamKnobs(), strings=64, epochs=12, batch_size=8, average_steps=8.0, channels=(8, 8, 8), composed=CLEAN)


def test_a_short_training_finds_seams_on_strings_that_it_has_not_seen():
    network = fit_seams(DRAWN, KNOBS, say=lambda _: None)
    ink, seam, _ = stacked(list(seam_strings(DRAWN, 24, 7, CLEAN)))
    with torch.inference_mode():
        likely = torch.sigmoid(network(ink)[0])
    inked = ink > 0.3
    on, beside = likely[inked & (seam > 0.6)].mean(), likely[inked & (seam < 0.01)].mean()
    assert on > 2 * beside
