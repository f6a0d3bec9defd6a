"""Between a server and Flask: who is let in, on which lane, and what there is no room for."""
