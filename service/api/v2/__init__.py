"""The Open Inference Protocol: its calls, a network as it sees one, its wire forms, its statistics."""
