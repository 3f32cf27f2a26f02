"""Exceptions say what the caller must do. Findings about data are values (custody.findings), never exceptions."""


class CustodyError(Exception):
    """Base of all our errors; `exit_code` is what the command line returns (design.md §5)."""

    exit_code = 2


class RetryLater(CustodyError):
    """The run may be repeated unchanged and may then succeed: a lease is held, a remote host is away."""

    exit_code = 3


class BusyElsewhere(RetryLater):
    """Another process is at just this work."""


class AnswerLost(RetryLater):
    """A remote host may have done what it was asked: its answer did not come. Asking again must be harmless, or is recorded as a doubt."""


class StopRun(CustodyError):
    """The run cannot succeed until a person changes something: settings, missing days, broken seals."""

    exit_code = 2


class DiskFull(StopRun):
    """No room is left on a disk or in a store; the words say where, and how much is wanted. With room the run succeeds."""


class SettingsError(StopRun):
    """A setting is missing or malformed. There is no default that would hide it."""


class OutOfOrder(StopRun):
    """A step was asked for before the steps or days it depends on are committed."""


class SealBroken(StopRun):
    """Stored bytes do not match the digest that was committed for them."""


class LeaseLost(RetryLater):
    """Another process holds, or has taken over, the lease under which this run was writing."""


class NotPermitted(CustodyError):
    """The actor lacks the permission, or would approve his own work. The refusal itself is recorded."""


class UsageError(CustodyError):
    """A command names something that does not exist, or contradicts itself."""


class UnknownPerson(UsageError):
    """Nobody has the actor's id. What he asked for is refused, and the refusal is recorded."""
