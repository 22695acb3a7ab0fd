"""Templates: tenants' wording in Liquid, rendered in a sandbox with limits on time, size and loops."""

from chimeway_py.rendering.needs import needs_of
from chimeway_py.rendering.render import MissingVariable, Rendered, TemplateFault, check_source, render, render_parts

__all__ = ["MissingVariable", "Rendered", "TemplateFault", "check_source", "needs_of", "render", "render_parts"]
