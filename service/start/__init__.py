"""How processes begin: what the first one reads and checks before it forks, and the first calls of a worker."""
