"""The committed snapshot is the world that the code draws today."""

import pytest

from ethicalai_lab.world import World, WorldError, causal_graph
from ethicalai_lab.world.document import OVERVIEW, world_page
from ethicalai_lab.world.snapshot import checksum_text, datasheet, write_snapshot


def test_snapshot_is_current(repo, tmp_path):
    world = write_snapshot(tmp_path)
    committed = repo / "data"
    sums = (committed / "CHECKSUMS.txt").read_text(encoding="utf-8")
    assert checksum_text(world) == sums
    stored = World.from_parquet(committed / "snapshot")
    assert checksum_text(stored) == sums
    assert (stored.seed, stored.config) == (world.seed, world.config)
    sheet = (committed / "DATASHEET.md").read_text(encoding="utf-8")
    assert datasheet(stored) == sheet
    names = sorted(path.name for path in (committed / "snapshot").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "snapshot").iterdir())


def test_snapshot_is_small(repo):
    files = [path for path in (repo / "data").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2_000_000


def test_datasheet_shows_what_is_in_the_tables(repo):
    stored = World.from_parquet(repo / "data" / "snapshot")
    sheet = (repo / "data" / "DATASHEET.md").read_text(encoding="utf-8")
    refused = int(stored.preferences["answer"].isna().sum())
    assert f"| preferences | {len(stored.preferences):,} | 4 | {refused:,} |" in sheet
    for section in (
        "Motivation",
        "Composition",
        "Collection",
        "Preprocessing",
        "Uses",
        "Distribution",
        "Maintenance",
    ):
        assert f"## {section}" in sheet


def test_page_is_current(repo):
    page = (repo / "docs" / "world.md").read_text(encoding="utf-8")
    assert page == world_page()
    graph = causal_graph()
    for node in graph.nodes:
        if node.kind != "knob":
            assert f"| `{node.name}` | {node.kind} |" in page
    assert graph.keep(OVERVIEW, reduced=True).to_mermaid() in page


def test_kept_graph_has_the_paths_of_the_whole():
    graph = causal_graph()

    def below(edges, start):
        reached, front = set(), [start]
        while front:
            node = front.pop()
            new = {effect for cause, effect in edges if cause == node} - reached
            reached |= new
            front += new
        return reached

    for reduced in (False, True):
        small = graph.keep(OVERVIEW, reduced=reduced)
        for name in OVERVIEW:
            assert below(small.edges, name) == below(graph.edges, name) & set(OVERVIEW)
    # no edge of the reduced graph can go without losing a path
    for edge in small.edges:
        rest = [other for other in small.edges if other != edge]
        assert edge[1] not in below(rest, edge[0])
    assert graph.keep(node.name for node in graph.nodes).edges
    assert set(graph.keep(node.name for node in graph.nodes).edges) == set(graph.edges)
    with pytest.raises(WorldError, match="no node horoscope"):
        graph.keep(["horoscope"])
