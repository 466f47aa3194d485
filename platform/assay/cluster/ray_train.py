"""What Ray Train relies on, kept where no lost node and no second cluster takes it away.

Both are faults of Ray 2.60, and both use its private parts.
"""

import logging
import os
import time
from typing import Any

import ray
from ray.data._internal.cluster_autoscaler import default_autoscaling_coordinator as of_ray
from ray.exceptions import GetTimeoutError, RayActorError
from ray.train.v2._internal.constants import ENV_VARS_TO_PROPAGATE

from assay.errors import MachineError

PATIENCE_SECONDS = 120.0
"""For Ray to miss a node that was lost, and then to forget its actor."""
ANSWER_SECONDS = 5.0
NOBODY = "assay: is it there?"
"""A requester that has no resources; the question is what counts."""
ADDRESS = "RAY_ADDRESS"
log = logging.getLogger(__name__)


def tell_which_cluster() -> None:
    """Tell Ray Train's clean-up, an actor that outlives a run, which cluster the run is on.

    It asks whether the run's controller is alive, of the Ray that started last on its machine
    unless it is told which; another one has never heard of it, and the workers are killed.
    """
    os.environ[ADDRESS] = ray.get_runtime_context().gcs_address
    ENV_VARS_TO_PROPAGATE.add(ADDRESS)


def hold_coordinator() -> None:
    """See that Ray's autoscaling coordinator answers; make it on this node if there is none.

    Elastic groups ask this actor how many workers there is room for. Whoever needs it first makes
    it, bound to the own node; if that node is lost, the groups that know it wait for it for ever,
    as `TrainAutoscalingCoordinatorClient` never looks for another. A driver that makes it loses its
    node only together with itself.

    Raises:
        MachineError: it does not answer, as its node is lost or overloaded.
    """
    deadline, fault = time.monotonic() + PATIENCE_SECONDS, ""
    while time.monotonic() < deadline:
        try:
            coordinator: Any = of_ray.get_or_create_autoscaling_coordinator()
            ray.get(coordinator.get_reserved_resources.remote(NOBODY), timeout=ANSWER_SECONDS)
            return
        except (GetTimeoutError, RayActorError, ValueError) as error:
            fault = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            log.info("Ray's autoscaling coordinator does not answer yet (%s)", fault)
            time.sleep(1.0)
    raise MachineError(
        "Ray's autoscaling coordinator, which elastic workers need, does not answer for "
        f"{PATIENCE_SECONDS:g} s ({fault}); `ray status` shows whether its node is lost"
    )
