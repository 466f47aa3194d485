"""How tables in the terminal are laid out."""

from rich import box
from rich.markup import escape
from rich.table import Table


def headed(title: str, *headings: str) -> Table:
    """Return an empty table: words in the first column, numbers in the others."""
    made = Table(
        title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, caption_justify="left"
    )
    for place, heading in enumerate(headings):
        made.add_column(heading, justify="right" if place else "left")
    return made
