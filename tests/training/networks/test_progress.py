"""Training tells how far it has come, with a terminal and without."""

import sys

import pytest

from training.networks.progress import Progress, duration


def told(epochs):
    with Progress(epochs) as progress:
        for epoch in range(1, epochs + 1):
            progress.ended(epoch, 1 / epoch, 0.9 if epoch == epochs else None)


def test_without_a_terminal_each_epoch_is_a_line_that_says_what_is_left(capsys):
    told(3)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("epoch 1 of 3: loss 1.000, 0.0 s an epoch, 0 s left")
    assert lines[2].startswith("epoch 3 of 3: loss 0.333, validation 90.00%")
    assert "left" not in lines[2]


def test_on_a_terminal_it_is_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    told(3)
    said = capsys.readouterr().err
    assert "3/3" in said
    assert "validation 90.00%" in said
    assert "epoch 1 of 3" not in said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7325, "2 h 2 min")]
)
def test_a_duration_is_said_in_two_units_at_most(seconds, said):
    assert duration(seconds) == said
