"""Receivers and mail servers that say nothing, or not now."""

from tests.faults.chaos.world import Fault, World


def silence_providers(world: World) -> Fault:
    """Receivers and the mail server take messages and say nothing."""
    world.ground.provider.hold.set()
    world.ground.mailbox.hold("*")
    world.count("silences")
    yield 3
    world.ground.provider.hold.clear()
    world.ground.mailbox.answer_normally()


def refuse_mail(world: World) -> Fault:
    """The mail server asks to come back later."""
    world.ground.mailbox.answer("*", "451 4.3.0 Try later")
    world.count("refusals")
    yield 3
    world.ground.mailbox.answer_normally()


FAULTS = (silence_providers, refuse_mail)
