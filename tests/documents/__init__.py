"""
What the pages print, met as a stranger meets it: every command is run, every answer compared.

    python -m tests.documents      asks a server again and writes its answers into the pages

A page prints commands in fenced blocks without a language, or of `sh`, in its text as `code`, and programs in blocks
of `python` and `js`. The block of `json` or `text` right below a block is what that prints; `...` in it stands for
anything. Where each command is run, or why it is not, is in places.py.
"""
