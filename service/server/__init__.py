"""
HTTP/1.1 by httptools on one event loop, under gunicorn; nothing of Flask.

gunicorn keeps what it is good at: the sockets, the processes, their signals. Within a worker a request passes through
as little code as possible, for on a call this small every piece of code touched costs more than what it computes: a
parser in C calls back, the whole request goes to the handler (the door) in one call, and one write answers it.
"""
