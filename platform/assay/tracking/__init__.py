"""Tracking: MLflow as a view of the run store. The only room that imports MLflow.

A suite is one experiment with one parent run; each cell × seed is a child, found by its
`assay.cell_key`. `Recorder` follows a cell while it trains; `Tracker` is the driver's: it mirrors
finished cells from their files and leaves no run RUNNING. Neither ever stops training: when
MLflow cannot be reached they say so once, and the files remain.
"""

from assay.tracking.destination import Destination
from assay.tracking.recorder import Recorder
from assay.tracking.runs import Runs
from assay.tracking.tracker import Tracker

__all__ = ["Destination", "Recorder", "Runs", "Tracker"]
