"""The verbs of `manage.py retention`."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from workflows.explain.wording import counted
from workflows.management.arguments import public_id
from workflows.management.verbs import Verb
from workflows.models.retention import HoldOn, Kept
from workflows.retention.holds import holds, place_hold, release_hold
from workflows.retention.plan import plan_retention
from workflows.retention.policies import drop_policy, policies, set_policy
from workflows.retention.pruning import carry_out, order_prune
from workflows.retention.tombstones import tombstone_of


class Show(Verb):
    """The policies and holds of a tenant."""

    name, help = "show", "List policies and legal holds."

    def arguments(self, parser: ArgumentParser) -> None:
        """None."""

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line for each."""
        for policy in policies(tenant_id=tenant_id):
            how = ["by itself" if policy.is_automatic else "by order", *(["archived"] if policy.archives else [])]
            yield f"{policy.what:<10} {policy.days} days, pruned {', '.join(how)}"
        for hold in holds(tenant_id=tenant_id):
            yield f"{hold.public_id}  hold on {hold.on} {hold.value}: {hold.reason} ({hold.placed_by})"


class Set(Verb):
    """How long something is kept."""

    name, help = "set", "Say how long one kind of thing is kept; 0 days: for ever."

    def arguments(self, parser: ArgumentParser) -> None:
        """What, and for how long."""
        parser.add_argument("what", choices=Kept.values)
        parser.add_argument("days", type=int)
        parser.add_argument("--automatic", action="store_true", help="Prune by itself, not only by order.")
        parser.add_argument("--archive", action="store_true", help="Write runs to a file first.")
        parser.add_argument("--by", default="command line", metavar="NAME", help="Who says so.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What holds from now on."""
        if options["days"] == 0:
            drop_policy(tenant_id=tenant_id, what=options["what"])
            yield f"{options['what']}: kept for ever"
            return
        how = {"is_automatic": options["automatic"], "archives": options["archive"], "changed_by": options["by"]}
        yield str(set_policy(tenant_id=tenant_id, what=options["what"], days=options["days"], **how))


class Plan(Verb):
    """What would be pruned."""

    name, help = "plan", "Count what would be pruned now, and print the token that orders it."

    def arguments(self, parser: ArgumentParser) -> None:
        """None."""

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """One line for each policy, then the token."""
        plan = plan_retention(tenant_id=tenant_id)
        for one in plan.parts:
            oldest = f", the oldest of {one.measure.oldest:%Y-%m-%d}" if one.measure.oldest else ""
            before = f"before {one.part.before:%Y-%m-%d %H:%M}"
            yield f"{one.part.what:<10} {one.measure.count} {before}{oldest}; {one.measure.held} held"
        yield f"plan {plan.token}"


class Prune(Verb):
    """Carries out a plan."""

    name, help = "prune", "Carry out a plan, now; refused when anything of it has changed."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which plan, who orders it, and why."""
        parser.add_argument("--plan", required=True, metavar="TOKEN")
        parser.add_argument("--reason", required=True, help="At most 200 characters; every tombstone keeps it.")
        parser.add_argument("--by", default="command line", metavar="NAME", help="Who orders it.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """How far it has come, now and then, and what it took away."""
        order = order_prune(
            tenant_id=tenant_id, plan=options["plan"], reason=options["reason"], ordered_by=options["by"]
        )
        while order.finished_at is None:
            order = carry_out(tenant_id=tenant_id, public_id=order.public_id, seconds=5)
            yield f"{order.pruned.get('run', 0)} runs, {order.pruned.get('transition', 0)} transitions"
        yield ", ".join(counted(count, kind.replace("_", " ")) for kind, count in order.pruned.items()) or "nothing"


class Hold(Verb):
    """Places a legal hold."""

    name, help = "hold", "Keep a run, a subject or a definition from being pruned."

    def arguments(self, parser: ArgumentParser) -> None:
        """What is held, by whom, and why."""
        parser.add_argument("on", choices=HoldOn.values)
        parser.add_argument("value", help="The id of a run, a subject, or the key of a definition.")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--by", default="command line", metavar="NAME")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """The id of the hold."""
        said = {"on": options["on"], "value": options["value"], "reason": options["reason"]}
        yield str(place_hold(tenant_id=tenant_id, placed_by=options["by"], **said).public_id)


class Release(Verb):
    """Releases a legal hold."""

    name, help = "release", "Release a legal hold."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which, and by whom."""
        parser.add_argument("hold", type=public_id, metavar="HOLD", help="As `retention show` prints it.")
        parser.add_argument("--by", default="command line", metavar="NAME")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What is released."""
        hold = release_hold(tenant_id=tenant_id, public_id=options["hold"], released_by=options["by"])
        yield f"released: {hold.on} {hold.value}"


class ShowTombstone(Verb):
    """What stays of a run."""

    name, help = "tombstone", "Print what stays of a run that was pruned."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which run."""
        parser.add_argument("run", type=public_id, metavar="RUN", help="The id that it had.")

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """Everything that the tombstone says."""
        stone = tombstone_of(tenant_id=tenant_id, public_id=options["run"])
        yield f"{stone.run_public_id} of {stone.definition_key} v{stone.version}, {stone.state} at {stone.finished_at}"
        yield f"  trace    {stone.length} lines, the last {bytes(stone.last_hash).hex()}"
        yield f"  pruned   {stone.pruned_at} by {stone.pruned_by}: {stone.reason}"
        yield f"  archive  {stone.archive or 'none'}"


VERBS: tuple[Verb, ...] = (Show(), Set(), Plan(), Prune(), Hold(), Release(), ShowTombstone())
