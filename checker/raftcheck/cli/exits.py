"""Exit codes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every command needs the codes, but not what all the others need
    from raftcheck.explore import Verdict
    from raftcheck.explore.simulate import SimulationVerdict
    from raftcheck.oracle.judgement import Answer
    from raftcheck.prove import ProofVerdict

USAGE_ERROR = 2
INCONCLUSIVE = 3
INTERNAL_ERROR = 70
INTERRUPTED_BY_TYPER = 130

EXIT_CODES: "dict[Verdict, int]" = {"holds": 0, "violated": 1, "inconclusive": INCONCLUSIVE, "vacuous": 4}

SIMULATION_EXIT_CODES: "dict[SimulationVerdict, int]" = {"not violated": 0, "violated": 1, "inconclusive": INCONCLUSIVE}

PROOF_EXIT_CODES: "dict[ProofVerdict, int]" = {"proved": 0, "refuted": 1, "inconclusive": INCONCLUSIVE, "vacuous": 4}

JUDGEMENT_EXIT_CODES: "dict[Answer, int]" = {"accept": 0, "reject": 1, "undecided": INCONCLUSIVE}
