"""Light and dark for what the room shows as HTML: the page's own theme, else the reader's system."""

from __future__ import annotations

__all__ = ["COLOURS", "tabled", "themed"]

# dark text on light and light text on dark, far above a contrast of 4.5 to 1
COLOURS = {"light": ("#1a1a1a", "#ffffff"), "dark": ("#f2f2f2", "#1c1c1c")}

# a notebook page can be dark on a light system, and the reverse; the page is what is seen
_PAGES = {
    "light": ('[data-jp-theme-light="true"]', ".vscode-light"),
    "dark": ('[data-jp-theme-light="false"]', ".vscode-dark"),
}


def themed(selector: str, light: str, dark: str) -> str:
    """Return CSS rules for `selector` that follow the notebook's theme.

    Parameters
    ----------
    selector : str
        Whom the rules are for, such as ``".eal-card"``.
    light, dark : str
        The declarations under each.

    Returns
    -------
    str
        Stand-alone, the reader's system decides; in JupyterLab, Voilà, an exported page or
        VS Code, their theme does.

    Examples
    --------
    >>> themed(".card", "color:#000", "color:#fff").startswith(".card{color:#000}@media")
    True
    """
    said = {"light": light, "dark": dark}
    pages = [
        f"{','.join(f'{page} {selector}' for page in _PAGES[scheme])}{{{rule}}}"
        for scheme, rule in said.items()
    ]
    system = f"{selector}{{{light}}}@media (prefers-color-scheme:dark){{{selector}{{{dark}}}}}"
    return system + "".join(pages)


def tabled(selector: str, cell: str) -> str:
    """Return CSS rules for the tables under `selector`, whatever page they stand on.

    Parameters
    ----------
    selector : str
        One class, such as ``".eal-card"``.
    cell : str
        The declarations for a cell: its border and colours.

    Returns
    -------
    str
        JupyterLab sets tables to equal columns, text to the right and rows in stripes, by
        rules of two classes; a class said three times weighs more.

    Examples
    --------
    >>> tabled(".card", "color:inherit").startswith(".card.card.card table{")
    True
    """
    strong = 3 * selector
    return (
        f"{strong} table{{border-collapse:collapse;table-layout:auto;width:100%;margin:0;"
        "color:inherit;background:inherit;font-size:1em}"
        f"{strong} thead,{strong} tbody,{strong} tr{{background:inherit}}"
        f"{strong} th,{strong} td{{padding:.4rem .6rem;text-align:left;vertical-align:top;"
        f"overflow-wrap:break-word;{cell}}}"
    )
