"""What a study leaves is small."""

import numpy as np


def test_what_a_later_run_needs_is_kept_in_16_bits_under_a_mebibyte(done):
    bench, _, _ = done
    answers = np.load(bench.answers_file(0))
    assert answers.dtype == np.float16
    assert answers.shape == (100, 10)
    assert 50_000 * 10 * answers.itemsize + 1000 < 2**20, "of the whole training part as well"
    for teacher in bench.knobs.teachers:
        file = bench.teacher_file(*teacher)
        assert file.stat().st_size < 2**20
        with np.load(file) as kept:
            assert kept["conv1.weight"].dtype == np.float16
