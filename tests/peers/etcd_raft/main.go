// Command etcd_raft drives etcd's raft library without timers, disks and sockets: it records traces of a simulated
// cluster, or does what raftproof asks of it (lockstep). Build it with -tags with_tla: only then does the library trace.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"

	"go.etcd.io/raft/v3"
)

// features are what a recording may have in it; a heartbeat, a proposal and the first election always are.
const features = "elections,loss,duplication,reordering,crashes,membership,joint,learners,snapshots,pre-vote," +
	"check-quorum,transfer,reads,batches"

func main() {
	if len(os.Args) < 2 {
		fail("usage: etcd_raft record|lockstep [flags]")
	}
	switch os.Args[1] {
	case "record":
		record(os.Args[2:])
	case "lockstep":
		lockstep(os.Args[2:])
	default:
		fail("unknown mode " + os.Args[1])
	}
}

func record(arguments []string) {
	flags := flag.NewFlagSet("record", flag.ExitOnError)
	seed := flags.Int64("seed", 1, "of the generator that makes every choice")
	servers := flags.Int("servers", 3, "in the first configuration")
	steps := flags.Int("steps", 500, "of the simulation; each is some lines, or none")
	with := flags.String("with", features, "what may happen, separated by commas")
	lie := flags.String("fault", "", "something wrong that is to be found")
	must(flags.Parse(arguments))
	raft.SetLogger(silent())
	out := bufio.NewWriter(os.Stdout)
	defer func() { must(out.Flush()) }()
	fault := faultNamed(*lie)
	if fault != "" {
		// With some faults the library finds out and gives up, which ends the trace.
		defer func() {
			if found := recover(); found != nil {
				fmt.Fprintln(os.Stderr, "the library gave up:", found)
			}
		}()
	}
	newSimulation(*seed, *servers, setOf(*with), fault, out).run(*steps)
}

func lockstep(arguments []string) {
	flags := flag.NewFlagSet("lockstep", flag.ExitOnError)
	preVote := flags.Bool("pre-vote", false, "ask for votes before an election")
	checkQuorum := flags.Bool("check-quorum", false, "leaders step down without a quorum, and followers keep to their leader")
	size := flags.Uint64("message-size", 1<<40, "bytes of entries in a message")
	lie := flags.String("fault", "", "something wrong that is to be found")
	must(flags.Parse(arguments))
	raft.SetLogger(silent())
	adapter := &adapter{
		settings: settings{preVote: *preVote, checkQuorum: *checkQuorum, maxSizePerMessage: *size},
		fault:    faultNamed(*lie),
	}
	must(adapter.serve(os.Stdin, os.Stdout))
}

// setOf reads a list of features.
func setOf(list string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Split(list, ",") {
		if name != "" && !strings.Contains(","+features+",", ","+name+",") {
			fail("unknown feature " + name + ": there are " + features)
		}
		set[name] = true
	}
	return set
}

// value returns data that no other proposal has.
func value(number int) []byte { return []byte(fmt.Sprintf("value %d", number)) }

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}
