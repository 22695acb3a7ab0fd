"""A definition as a picture: its steps, where each may lead, and the way that one run took."""

from workflows.graph.path import PathTaken, path_taken
from workflows.graph.svg import draw_graph

__all__ = ["PathTaken", "draw_graph", "path_taken"]
