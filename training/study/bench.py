"""The bench of a study: the digits, its knobs, and where each step leaves its file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.mnist import VALIDATION_COUNT, Mnist, load_mnist
from training.knobs import STRUCTURES, StudyKnobs
from training.networks.structure import Structure


@dataclass(frozen=True)
class Bench:
    """Where a study works: the digits, the networks to keep, what can be made again, and its knobs."""

    mnist: Path
    kept: Path
    scratch: Path
    knobs: StudyKnobs
    validation_count: int = VALIDATION_COUNT

    def data(self) -> Mnist:
        """Read the digits; every worker reads its own."""
        return load_mnist(self.mnist, self.validation_count)

    def teacher_file(self, name: str, seed: int) -> Path:
        """Return where a teacher is kept."""
        return self.kept / f"teacher-{name}-{seed}.npz"

    def answers_file(self, copy: int) -> Path:
        """Return where the teachers' answers to one copy of the pool are kept."""
        return self.scratch / f"answers-{copy:02d}.npy"

    def pictures_file(self, copy: int) -> Path:
        """Return where one copy of the pool lies."""
        return self.scratch / f"pictures-{copy:02d}.npy"

    @property
    def heavy(self) -> range:
        """The numbers of the copies with full warps; those of all copies are one row."""
        return range(self.knobs.pool_copies)

    @property
    def light(self) -> range:
        """The numbers of the copies with light warps."""
        return range(self.heavy.stop, self.heavy.stop + self.knobs.light_copies)

    @property
    def rough(self) -> range:
        """The numbers of the copies of poor pictures; none where no student begins as another."""
        return range(self.light.stop, self.light.stop + self._of_late(self.knobs.rough_copies))

    @property
    def clear(self) -> range:
        """The numbers of the light copies that are shown by turns with the rough ones."""
        return range(self.rough.stop, self.rough.stop + self._of_late(self.knobs.clear_copies))

    @property
    def begun(self) -> list[str]:
        """The students that others begin as."""
        return sorted({one.begins_as for one in self.knobs.students.values() if one.begins_as is not None})

    def _of_late(self, count: int) -> int:
        return count if self.begun else 0

    def form(self, student: str) -> Structure:
        """Return a student's structure."""
        return STRUCTURES[self.knobs.students[student].form or student]

    def history_file(self, name: str, seed: int) -> Path:
        """Return where the snapshots of a student's training are kept until it ships."""
        return self.scratch / f"history-{name}-{seed}.npz"

    def student_file(self, name: str, seed: int) -> Path:
        """Return where a student is kept."""
        return self.kept / f"student-{name}-{seed}.npz"


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as .npy beside its place and then take it, so that no reader meets half a file."""
    partial = path.with_suffix(".partial.npy")
    np.save(partial, array)
    partial.replace(path)
