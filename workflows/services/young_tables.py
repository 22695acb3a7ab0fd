"""Young tables: count what has doubled since it was last counted, so that plans fit before autovacuum comes by."""

from tenants.sql import fetch


def analyze_grown_tables() -> int:
    """ANALYZE the tables that hold more than twice what the planner knows of; how many those were."""
    return int(fetch("SELECT analyze_grown_tables()", [])[0][0])
