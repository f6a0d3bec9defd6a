"""The recipes: from the digits to a model folder, with teachers and students or without."""
