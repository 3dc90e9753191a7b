"""The graph of neighbours of page 05, and the questions of a tree of page 11."""

import torch
from sklearn.tree import DecisionTreeClassifier

from kdviz.course.experiments.n05_relations import edge_overlap, neighbour_graph
from kdviz.course.experiments.n11_see_what_was_transferred import first_questions, tree_says


def points(count=60, width=5):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_turned_moved_and_scaled_embedding_has_the_same_graph():
    turn = torch.linalg.qr(points(5)).Q
    graph = neighbour_graph(points())
    assert edge_overlap(graph, neighbour_graph(3 * points() @ turn + 7)) == 1.0
    assert torch.equal(graph, graph.T) and not graph.diagonal().any()
    assert graph.sum(1).min() >= 5


def test_the_overlap_counts_edges_and_is_symmetric():
    one, other = torch.zeros(4, 4, dtype=torch.bool), torch.zeros(4, 4, dtype=torch.bool)
    for graph, edges in ((one, [(0, 1), (1, 2)]), (other, [(1, 2), (2, 3), (0, 3)])):
        for a, b in edges:
            graph[a, b] = graph[b, a] = True
    assert edge_overlap(one, other) == edge_overlap(other, one) == 1 / 4


def test_graphs_of_unrelated_embeddings_share_few_edges():
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    assert edge_overlap(neighbour_graph(points()), neighbour_graph(points()[order])) < 0.2


def test_a_tree_is_known_by_its_first_questions_and_its_answers():
    """The class is 2 a + b, so a tree that grows on it has to ask about exactly these two."""
    bits = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    says = (2 * bits[:, 0] + bits[:, 2]).long()
    tree = DecisionTreeClassifier(random_state=0).fit(bits.numpy(), says.numpy())
    assert first_questions(tree) == {0, 2}
    assert len(first_questions(tree, depth=1)) == 1 and first_questions(tree, depth=0) == set()
    assert torch.equal(tree_says(tree, bits), says)
