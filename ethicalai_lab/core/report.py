"""One way to show a result: a title, tables, notes, figures; and one way to fill a template.

Templates are Jinja files beside the module they belong to, in a folder ``templates/``. Whatever is
put into one is escaped, and what cannot be seen is written out (:func:`printable`).
"""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ethicalai_lab.errors import printable

if TYPE_CHECKING:
    import jinja2
    import pandas as pd

__all__ = ["Report", "html_table", "render"]


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ethicalai_lab", ""),
        autoescape=jinja2.select_autoescape(("html", "html.jinja"), default=False),
        undefined=jinja2.StrictUndefined,
        finalize=jinja2.pass_eval_context(_written),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["html_table"] = html_table
    return environment


def render(template: str, /, **values: Any) -> str:
    """Fill a template of the package.

    Parameters
    ----------
    template : str
        Its path from the package's folder, such as ``"core/templates/report.html"``. In one that
        ends in ``.html`` every value is escaped.
    **values
        What it names; a name without a value is an error.

    Returns
    -------
    str

    Examples
    --------
    >>> render("core/templates/table.html", caption="a < b", head=[], rows=[], index=False)[:30]
    '<table><caption>a &lt; b</capt'
    """
    return _environment().get_template(template).render(**values)


def _written(context: Any, value: Any) -> Any:
    """Return what is put into a template: texts printable and, in HTML, escaped as html does."""
    from jinja2.utils import markupsafe

    if type(value) is not str:
        return value
    text = printable(value)
    return markupsafe.Markup(html.escape(text)) if context.autoescape else text


def _cell(value: Any, form: Callable[[float], str]) -> str:
    missing = value is None or (isinstance(value, float) and value != value)
    return "" if missing else form(value) if isinstance(value, float) else str(value)


def html_table(
    table: pd.DataFrame,
    caption: str = "",
    *,
    index: bool = False,
    form: Callable[[float], str] = "{:.4g}".format,
) -> str:
    """Return a table as HTML with a caption and a header for each column and row.

    Parameters
    ----------
    table : DataFrame
    caption : str, default ""
    index : bool, default False
        Whether the index is shown. The first column is each row's header either way.
    form : callable, default ``"{:.4g}".format``
        Writes a float.

    Returns
    -------
    str
        In a template, ``{{ html_table(table) | safe }}``.

    Examples
    --------
    >>> import pandas as pd
    >>> print(html_table(pd.DataFrame({"group": ["A"], "rate": [1 / 3]}), "Rates"))
    <table><caption>Rates</caption><thead><tr><th scope="col">group</th><th scope="col">rate</th>\
</tr></thead><tbody>
    <tr><th scope="row">A</th><td>0.3333</td></tr>
    </tbody></table>
    """
    shown = table.reset_index() if index else table
    rows = [[_cell(value, form) for value in row] for row in shown.itertuples(index=False)]
    head = [str(name) for name in shown.columns]
    return render("core/templates/table.html", caption=caption, head=head, rows=rows, index=True)


@dataclass(frozen=True, eq=False)
class Report:
    """A result as it is shown: on a page as HTML, in a terminal as text.

    Attributes
    ----------
    title : str
    tables : mapping of str to DataFrame
        By caption.
    notes : sequence of str
        Sentences below the tables: what the figures rest on, what they do not say.
    figures : sequence of Figure
        Each with its own text alternative.

    Examples
    --------
    >>> import pandas as pd
    >>> print(Report("Rates", {"By group": pd.DataFrame({"group": ["A"], "rate": [0.5]})}, ["n = 2"]))
    Rates
    <BLANKLINE>
    By group
    group  rate
        A   0.5
    <BLANKLINE>
    n = 2
    """

    title: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: Sequence[str] = ()
    figures: Sequence[Any] = ()

    def __str__(self) -> str:
        tables = [
            f"{caption}\n{table.to_string(index=False)}" for caption, table in self.tables.items()
        ]
        return "\n\n".join(map(printable, [self.title, *tables, *self.notes]))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return render(
            "core/templates/report.html",
            report=self,
            pictures=[figure._repr_html_() for figure in self.figures],
        )
