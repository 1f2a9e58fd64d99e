"""Progress of what takes long, for whoever looks at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Bar = Callable[[str], Callable[[int, int], None]]
"""A title → what is told how much is done, and of how much."""


@contextmanager
def progress_bars(*, hidden: bool) -> Iterator[Bar]:
    """Progress bars on stderr, one below the other, gone at the end."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)  # whose mail from cron has no use for a bar
    with Progress(console=console, transient=True, disable=hidden or not console.is_terminal) as bars:

        def bar(title: str) -> Callable[[int, int], None]:
            task = bars.add_task(title, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield bar
