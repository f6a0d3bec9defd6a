"""
The recipes: from the digits to a model folder, with teachers and students or without.

Words:

    teacher   a wider network, trained first; it does not ship
    student   a network that ships, fitted to the teachers' answers as well as to the labels (distillation)
    pool      copies of the training part, warped from fixed seeds, with the teachers' answers to them
    polish    a short second fit beside variants; the weights kept lie between those before and after
    kept      the folder of finished teachers and students; a study that was stopped goes on from it
"""
