"""What every architecture, process, protocol, data set and family must satisfy, whoever wrote it.

The same checks that Assay's own pass in `tests/conformance`, for anybody's: `assay conformance
my_package.mean_field:MeanField`.
"""

from assay.conformance.checks import Check, ConformanceError, Outcome, carry_out, require

__all__ = ["Check", "ConformanceError", "Outcome", "carry_out", "require"]
