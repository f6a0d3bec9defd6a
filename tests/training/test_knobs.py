"""The knobs keep what the shipped networks promise."""

from training.knobs import STRUCTURES, StudyKnobs
from training.networks.structure import Conv, parameter_count


def test_every_shipped_structure_keeps_its_weight_budget():
    assert parameter_count(STRUCTURES["digits"]) <= 25_000
    assert parameter_count(STRUCTURES["tiny"]) <= 5_994
    assert STRUCTURES["lecture"].stages[0] == Conv(20, (7, 7), (2, 2), activation="tanh")


def test_the_study_trains_nothing_on_the_test_part_and_names_networks_that_there_are():
    knobs = StudyKnobs()
    assert len(set(knobs.teachers)) == len(knobs.teachers)
    assert {student.form or name for name, student in knobs.students.items()} <= set(STRUCTURES)
    assert {student.begins_as for student in knobs.students.values()} - {None} <= set(knobs.students)
