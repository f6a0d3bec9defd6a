"""The novelty reader, which tells digits from other pictures, and the pictures it learns and is measured with."""
