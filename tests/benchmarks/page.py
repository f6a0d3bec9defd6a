"""README.md of this folder: the table of each part stands in it, as the part was last measured for it."""

import re
from pathlib import Path

PAGE = Path(__file__).with_name("README.md")


def put(page, part, lines, by="make bench PAGE=1"):
    """
    A page's text with the lines of a part in place of those that it had of it, or at its end; by: the command.

    >>> put("# Speed\\n", "cold", ["one"])
    '# Speed\\n\\n<!-- cold: written by make bench PAGE=1 -->\\n### cold\\n\\none\\n<!-- end of cold -->\\n'
    >>> put(put("# Speed\\n", "cold", ["one"]), "cold", ["two"]) == put("# Speed\\n", "cold", ["two"])
    True
    """
    begin, end = f"<!-- {part}: written by {by} -->", f"<!-- end of {part} -->"
    written = "\n".join([begin, f"### {part}", "", *lines, end])
    before, found, rest = page.partition(begin)
    if not found:
        return f"{page.rstrip()}\n\n{written}\n"
    return f"{before}{written}{rest.partition(end)[2]}"


def tables(page):
    """
    The tables of a page: per part, its lines.

    >>> tables(put("", "cold", ["one", "two"]))
    {'cold': ['one', 'two']}
    """
    marked = re.findall(r"<!-- (\w+): .*? -->\n### \1\n\n(.*?)\n<!-- end of \1 -->", page, re.DOTALL)
    return {part: lines.splitlines() for part, lines in marked}
