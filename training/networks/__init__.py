"""What a network is, how it is fitted to the digits, and how its answers are measured."""
