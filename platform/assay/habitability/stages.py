"""The stages of training a model of planets: when there is which, and who learns in it."""

from assay.habitability.model_settings import ScheduleSettings
from assay.task import Stage

EXPERTS, FUSION, JOINT = "experts", "fusion", "joint"


def stages_of(schedule: ScheduleSettings | None) -> tuple[Stage, ...]:
    """Return the stages that have a share; without a schedule the one in which all learn."""
    if schedule is None:
        return (Stage("train"),)
    rest = 1 - schedule.experts - schedule.fusion
    each = (
        Stage(EXPERTS, schedule.experts, _is_of_experts),
        Stage(FUSION, schedule.fusion, _joins),
        Stage(JOINT, rest, _serves_in_the_end),
    )
    return tuple(stage for stage in each if stage.share)


def _is_of_experts(name: str) -> bool:
    return name.startswith(("encoders.", "experts."))


def _joins(name: str) -> bool:
    return not _is_of_experts(name)


def _serves_in_the_end(name: str) -> bool:
    return not name.startswith("experts.")
