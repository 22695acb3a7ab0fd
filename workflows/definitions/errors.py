"""Refusals about definitions."""

from chimeway_py.errors import Conflict, Invalid, NotFound


class InvalidDefinition(Invalid):
    """The definition has faults. `detail` lists them as {path, code, message}."""

    code = "invalid_definition"


class DefinitionNotFound(NotFound):
    """There is no such definition, or no such version of it."""

    code = "definition_not_found"


class VersionConflict(Conflict):
    """This version already holds another document; a version that runs stand on never changes."""

    code = "version_conflict"


class WrongStatus(Conflict):
    """A definition in this status does not allow that."""

    code = "wrong_status"
