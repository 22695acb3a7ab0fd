"""manage.py operator show|unlock|second-factor-off"""

import json
from argparse import ArgumentParser
from typing import Any

from axes.models import AccessAttempt
from axes.utils import reset
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from tenants.audit.commands import add_by, who
from tenants.second_factor.factors import factor_of, remove_factor, unused_recovery_codes
from tenants.second_factor.record import note


class Command(BaseCommand):
    help = "Help an operator who cannot sign in: lift a lock, or remove a second factor whose app and codes are lost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for name, text in (
            ("show", "Print how an account signs in, as JSON."),
            ("unlock", "Forget the failed sign-ins of an account."),
            ("second-factor-off", "Remove the second factor. Make sure who asks for it."),
        ):
            verbs.add_parser(name, help=text).add_argument("username")
        for name in ("unlock", "second-factor-off"):
            add_by(verbs.choices[name])

    def handle(self, *, verb: str, username: str, **options: Any) -> None:
        user = get_user_model().objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"No account {username}.")
        if verb == "unlock":
            reset(username=username)
            note(account=user, what="lock lifted", asked_by=who(options))
        elif verb == "second-factor-off":
            remove_factor(user_id=user.pk)
            note(account=user, what="second factor removed", asked_by=who(options))
        self.stdout.write(json.dumps(_shown(user)))


def _shown(user: Any) -> dict[str, Any]:
    factor = factor_of(user.pk)
    failures = AccessAttempt.objects.filter(username=user.get_username()).values_list("failures_since_start", flat=True)
    return {
        "username": user.get_username(),
        "active": user.is_active,
        "superuser": user.is_superuser,
        "second_factor": factor is not None,
        "recovery_codes_left": unused_recovery_codes(factor) if factor else 0,
        "failed_sign_ins": sum(failures),
    }
