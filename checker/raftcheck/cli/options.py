"""The options of the commands: a table of types with their help."""

from pathlib import Path
from typing import Annotated

import typer

from raftcheck.model import Network

GROWS = " In one walk; without it, as many as suit --steps."

HOW_TO_SAVE = "give --save DIR for a file that raftproof replay executes"

ServersOption = Annotated[int, typer.Option(help="Servers in the cluster.")]
MaxServersOption = Annotated[int, typer.Option(help="Clusters of 1 to so many servers; 5 is the most.")]
TermsOption = Annotated[int, typer.Option(help="Terms for which elections may start.")]
EntriesOption = Annotated[int, typer.Option(help="Client entries appended, by all leaders.")]
CrashesOption = Annotated[int, typer.Option(help="Crashes, each followed by a restart.")]
ReadsOption = Annotated[int, typer.Option(help="Linearizable reads.")]
HeartbeatsOption = Annotated[int, typer.Option(help="Heartbeat timeouts of leaders.")]
CompactionsOption = Annotated[int, typer.Option(help="Log compactions: entries give way to a snapshot.")]
TransfersOption = Annotated[int, typer.Option(help="Leaders asked to hand over to another server.")]
QuorumTimeoutsOption = Annotated[int, typer.Option(help="Leaders that step aside: they hear of no quorum.")]
ForwardingOption = Annotated[bool, typer.Option(help="Clients ask any server, not only the leader.")]
TornStepsOption = Annotated[bool, typer.Option(help="Crashes also hit between two outputs of a step.")]
BatchOption = Annotated[int, typer.Option(help="Most entries in one AppendEntries.")]
CandidatesOption = Annotated[
    str | None, typer.Option(metavar="TERM:SERVER,...", help="Only that server may start an election for that term.")
]
CutOption = Annotated[
    str | None, typer.Option(metavar="SERVER-SERVER,...", help="Pairs of servers that cannot talk to each other.")
]
NetworkOption = Annotated[
    Network,
    typer.Option(help="lossy-duplicating: messages may be lost, repeated, reordered; unordered; ordered (FIFO)."),
]
LossyOption = Annotated[bool, typer.Option(help="Whether unordered and ordered networks may lose messages.")]
MutantOption = Annotated[
    str | None, typer.Option(metavar="NAME", help='Check this broken variant instead; see "raftproof mutants".')
]
OnlyOption = Annotated[
    list[str] | None, typer.Option("--property", metavar="NAME", help="Check only this property (repeatable).")
]
ModeOption = Annotated[
    str | None,
    typer.Option(
        metavar="covering|exact|reference",
        help="How to explore: covering keeps only states that no other state covers (lossy-duplicating networks; the "
        "default there); exact visits every state and finds shortest counterexamples (the default elsewhere); "
        "reference does so in the most obvious way, slowly.",
    ),
]
SymmetryOption = Annotated[bool, typer.Option(help="Explore states that differ only in the servers' names once.")]
WorkersOption = Annotated[
    int | None, typer.Option(help="Threads; by default one a core. They change nothing but the speed.")
]
MaxStatesOption = Annotated[int | None, typer.Option(help="Stop after so many states.")]
MaxDepthOption = Annotated[int | None, typer.Option(help="Stop after so many steps.")]
MaxSecondsOption = Annotated[float | None, typer.Option(help="Stop after so many seconds.")]
MaxMemoryOption = Annotated[str | None, typer.Option(metavar="SIZE", help="Stop at so much memory, e.g. 2G.")]
SeedOption = Annotated[int | None, typer.Option(help="Repeat the walks of this seed; without it, one is drawn.")]
StepsOption = Annotated[int, typer.Option(help="Most steps of one walk.")]
WalksOption = Annotated[int | None, typer.Option(help="Walks; without it, enough for 50,000 steps in all.")]
TermsOfWalkOption = Annotated[int | None, typer.Option(help="Terms for which elections may start." + GROWS)]
EntriesOfWalkOption = Annotated[int | None, typer.Option(help="Client entries appended, by all leaders." + GROWS)]
CrashesOfWalkOption = Annotated[int | None, typer.Option(help="Crashes, each followed by a restart." + GROWS)]
ReadsOfWalkOption = Annotated[int | None, typer.Option(help="Linearizable reads." + GROWS)]
HeartbeatsOfWalkOption = Annotated[int | None, typer.Option(help="Heartbeat timeouts of leaders." + GROWS)]
CompactionsOfWalkOption = Annotated[
    int | None, typer.Option(help="Log compactions: entries give way to a snapshot." + GROWS)
]
TransfersOfWalkOption = Annotated[
    int | None, typer.Option(help="Leaders asked to hand over to another server." + GROWS)
]
QuorumTimeoutsOfWalkOption = Annotated[
    int | None, typer.Option(help="Leaders that step aside: they hear of no quorum." + GROWS)
]
JsonOption = Annotated[
    str | None, typer.Option(metavar="FILE|-", help="Write the result as JSON to a file, or to stdout.")
]
SaveOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Save a counterexample there: JSON to replay, ITF, a Mermaid diagram."),
]
TraceOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the first walk there as a trace, one step a line (docs/traces.md)."),
]
GraphOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write all states and transitions as a graph: FILE.graphml, or FILE.dot (FILE.gv) for Graphviz. In exact "
        "mode; the graph goes on where a violation or another limit ends the exploration.",
    ),
]
GraphMaxStatesOption = Annotated[int, typer.Option(help="Most states of the graph; with more, it is refused.")]
WhatArgument = Annotated[str, typer.Argument(metavar="WHAT", help="all, quorum, or raft.")]
RuleOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help='Your own rule: how many of n servers are a quorum, e.g. "n // 2 + 1".'),
]
ElectionRuleOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="A rule for elections alone; a majority if only the other is given.")
]
CommitRuleOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="A rule for commits alone; a majority if only the other is given.")
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        metavar="W,W,...",
        help="The weights of the servers of one cluster: a quorum has more than half of the total weight, or what a "
        "rule says, where n is the total weight.",
    ),
]
CertificateOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Repeat the proofs that are stored there, not those of this version."),
]
WriteCertificateOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Store the proofs of Raft's safety there, to be repeated.")
]
ColdOption = Annotated[bool, typer.Option("--cold", help="Search for every proof anew; repeat none that is stored.")]
