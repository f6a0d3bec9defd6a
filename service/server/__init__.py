"""HTTP/1.1 under gunicorn: connections, their fair share among workers, the worker; nothing of Flask."""
