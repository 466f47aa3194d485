"""The errors that users see: one sentence that says what, where, and what to do.

They are raised where the fault is found and caught once, at the command line.
"""


class AssayError(Exception):
    """A fault that a user can mend. The message is the whole explanation."""


class ConfigError(AssayError):
    """A cell, a suite or an option that is wrong: an unknown key, a bad value, a clash."""


class DataError(AssayError):
    """Data that is missing, unreadable, corrupt or absurd."""


class CheckpointError(AssayError):
    """A checkpoint that does not verify or does not fit its cell."""


class TrainingError(AssayError):
    """Training that cannot go on, such as a loss that is not finite."""


class MachineError(AssayError):
    """A machine that lacks what the run needs: a port, disk space, a device, a service."""


class MemoryShortageError(MachineError):
    """A step that does not fit into memory; smaller micro-batches may."""


class NoProgressError(MachineError):
    """A cell whose process dies again and again without getting any further."""
