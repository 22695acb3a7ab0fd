"""The guards, and what the code looks like without each. `bin/prove --mutants` (`mutating.py`) takes them out.

Every mutant is a text that stands once in one file, what stands there instead, and the smallest set of tests that must
notice.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """One guard, and the code without it. `alone`: its tests need no servers."""

    name: str
    guard: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
    alone: bool = False

    def apply(self, root: Path) -> None:
        """Take the guard out of a copy. Raises `ValueError` unless its text stands there once."""
        file = root / self.path
        text = file.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: its text stands {text.count(self.old)} times in {self.path}.")
        file.write_text(text.replace(self.old, self.new))


ONE_WINNER, WORK = "tests/races/test_one_winner.py", "tests/workflows/test_work.py"
MUTANTS = (
    Mutant(
        "fence",
        "finishing needs the fence of the claim",
        "workflows/services/work.py",
        "maybe_done = maybe_done OR %s\n WHERE tenant_id = %s AND id = %s AND fence = %s AND",
        "maybe_done = maybe_done OR %s\n WHERE tenant_id = %s AND id = %s AND 0 < %s AND",
        (f"{WORK}::test_a_worker_that_comes_back_from_the_dead_is_refused_and_told_what_it_met",),
    ),
    Mutant(
        "unique key",
        "a line of a trace has a number of its own",
        "workflows/migrations/0001_initial.py",
        "        migrations.AddConstraint(\n"
        '            model_name="transition",\n'
        '            constraint=models.UniqueConstraint(fields=("tenant", "run", "seq"), name="transition_run_seq"),\n'
        "        ),\n",
        "",
        ("tests/workflows/test_append_only.py::test_no_line_has_the_number_of_another",),
    ),
    Mutant(
        "row lock",
        "who changes a run holds the lock of its row",
        "workflows/store/load.py",
        "AND id = u.id FOR NO KEY UPDATE {skip}) r",
        "AND id = u.id) r",
        (ONE_WINNER,),
    ),
    Mutant(
        "row-level security",
        "a connection sees the rows of its tenant only",
        "tenants/rls.py",
        "CREATE POLICY tenant_scope ON {table} USING ({column} = {ONE})",
        "CREATE POLICY tenant_scope ON {table} USING (true)",
        ("tests/embedded/test_roles.py::test_without_a_scope_there_are_no_rows",),
    ),
    Mutant(
        "sweeper",
        "a sweep finds due work that nobody was told of",
        "workflows/services/sweeping.py",
        "for lane, tenant_id in fetch(_DUE + other_due(), [])]",
        "for lane, tenant_id in fetch(_DUE + other_due(), [])[:0]]",
        ("tests/processes/test_supervision.py::test_a_sweeper_does_what_nobody_takes",),
    ),
    Mutant(
        "dedupe",
        "the same id of a source is one signal",
        "signals_app/services/intake.py",
        'replace(signal, body_digest=vault.keyed("signal", signal.body_digest))',
        'replace(signal, external_id=str(new_public_id()), body_digest=vault.keyed("signal", signal.body_digest))',
        ("tests/signals/test_signals_api.py::test_a_duplicate_is_200_with_the_first_receipt_and_another_body_409",),
    ),
    Mutant(
        "one transaction",
        "state and transitions are committed together",
        "workflows/store/write.py",
        "        return then + write_transitions(tenant_id, pending.transitions, is_watched=is_watched)\n",
        '        execute("COMMIT", ())\n'
        '        execute("BEGIN", ())\n'
        "        execute(\"SELECT set_config('chimeway.tenant_id', %s, true)\", [str(tenant_id)])\n"
        "        return then + write_transitions(tenant_id, pending.transitions, is_watched=is_watched)\n",
        ("tests/workflows/test_append_only.py::test_a_trace_that_cannot_be_written_leaves_the_run_as_it_was",),
    ),
    Mutant(
        "look back",
        "a run that begins looks back for signals",
        "workflows/services/look_back.py",
        "    if not runs:\n        return []\n    sinces",
        "    if runs or not runs:\n        return []\n    sinces",
        (f"{ONE_WINNER}::test_a_signal_routed_while_the_start_is_not_committed_is_found_by_the_look_back",),
    ),
    Mutant(
        "connect-time guard",
        "the address that is called is one that was checked",
        "chimeway_py/outbound/guard.py",
        "        if reason := refusal_of(address):\n            raise AddressRefused(reason)\n    return addresses",
        "        if refusal_of(address):\n            continue\n    return addresses",
        ("tests/outbound/test_guard.py::test_a_name_with_any_refused_answer_is_not_called",),
    ),
    Mutant(
        "signature",
        "a webhook is signed with a live secret",
        "signals_app/verification/standard_webhooks.py",
        "return None if any_equal(expected, presented) else",
        "return None if any_equal(expected, presented) or presented else",
        ("tests/signals/test_verification.py::test_one_changed_byte_is_refused",),
        alone=True,
    ),
    Mutant(
        "append-only",
        "nobody changes a line of a trace",
        "workflows/migrations/0022_tombstone.py",
        "ENABLE ALWAYS TRIGGER %I",
        "DISABLE TRIGGER %I",
        ("tests/workflows/test_append_only.py",),
    ),
    Mutant(
        "second look",
        "a worker looks at the run once more before it sends",
        "workflows/services/work.py",
        "    if run_has_ended(claim):\n        return",
        "    if run_has_ended(claim) and False:\n        return",
        ("tests/workflows/test_ended_in_flight.py::test_a_worker_looks_once_more_before_it_does_anything",),
    ),
    Mutant(
        "what a run was told",
        "a run that was told of a signal is not told that it came late",
        "workflows/services/route.py",
        "        if verdict is None:\n",
        "        if True:\n",
        (f"{ONE_WINNER}::test_a_run_that_is_told_and_ends_while_its_signal_is_routed_is_not_told_that_it_came_late",),
    ),
    Mutant(
        "head signature",
        "a kept head is believed only if it was signed",
        "workflows/heads/keys.py",
        "    except InvalidSignature:\n        return False",
        "    except InvalidSignature:\n        return True",
        ("tests/evidence/test_heads.py::test_a_file_that_was_changed_is_not_believed",),
    ),
    Mutant(
        "limit",
        "who takes from a limit waits for who takes from it now",
        "tenants/limits/taking.py",
        "ORDER BY u.kind FOR UPDATE OF u),",
        "ORDER BY u.kind),",
        ("tests/limits/test_taking.py::test_callers_at_the_same_moment_never_pass_more_than_the_limit",),
    ),
    Mutant(
        "names in bodies",
        "what a body names is there, or nothing is done",
        "deliveries/services/inbox.py",
        "if items is not None and len(ids) < len(set(items)):",
        "if items is not None and not items:",
        ("tests/api/test_named_in_bodies.py::test_what_a_body_names_of_another_tenant_is_missing",),
    ),
    Mutant(
        "unknown members",
        "a body says nothing but what it may",
        "chimeway_py/api/serializers.py",
        "if isinstance(data, Mapping) and (unknown :=",
        "if not isinstance(data, Mapping) and (unknown :=",
        ("tests/api/test_mass_assignment.py::test_a_member_that_nobody_may_set_is_refused_by_its_path",),
    ),
)


if __name__ == "__main__":
    import sys

    from tests.faults.mutating import main

    sys.exit(main())
