"""MNIST and how it is augmented: the digits that networks learn from and are measured on."""
