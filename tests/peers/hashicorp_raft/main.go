// Command hashicorp_raft records what a cluster of hashicorp/raft does, as a trace of docs/traces.md. The library has
// goroutines and timers of its own, so no two recordings are the same.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// timeout is that of heartbeats and elections. A shorter one leads to more elections.
const timeout = 60 * time.Millisecond

func main() {
	size := flag.Int("servers", 3, "in the cluster")
	duration := flag.Duration("duration", 2*time.Second, "how long to record")
	loss := flag.Float64("loss", 0.05, "the chance that a message is lost")
	crashWhileVoting := flag.Float64("crash-while-voting", 0, "the chance that a server stops in the middle of writing a vote")
	flag.Parse()
	c := newCluster(*size, *loss, *crashWhileVoting)
	c.run(*duration)
	out := bufio.NewWriter(os.Stdout)
	c.recorder.lock.Lock() // For ever: what happens from now on is not recorded.
	must(write(out, header{"raftproof/trace/1", c.names, "at-most-once", source()}, c.recorder.steps))
	must(out.Flush())
}

// source names the library and its version.
func source() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/hashicorp/raft" {
			return module.Path + " " + module.Version
		}
	}
	return ""
}

// A cluster is its servers, and what happens to them.
type cluster struct {
	recorder         *recorder
	network          *network
	names            []string
	isolated         atomic.Value // the name of a server that is cut off from all others, or ""
	crashWhileVoting float64
	values           int
}

func newCluster(size int, loss, crashWhileVoting float64) *cluster {
	c := &cluster{recorder: &recorder{servers: map[string]*server{}}, crashWhileVoting: crashWhileVoting}
	c.isolated.Store("")
	c.network = &network{recorder: c.recorder, loss: loss, inboxes: map[string]chan *transport{}, isCut: c.isCut}
	var members raft.Configuration
	for i := range size {
		name := fmt.Sprint(i + 1)
		c.names = append(c.names, name)
		members.Servers = append(members.Servers, raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(name)})
	}
	for _, name := range c.names {
		s := &server{name: name, recorder: c.recorder, stable: raft.NewInmemStore(), logs: raft.NewInmemStore()}
		c.recorder.servers[name] = s
		c.network.inboxes[name] = make(chan *transport, 1)
		unused := &transport{life: &life{server: s}}
		must(raft.BootstrapCluster(config(name), s.logs, s.stable, raft.NewDiscardSnapshotStore(), unused, members))
		s.term, s.length, s.shownLength, s.shownKeep = bootTerm, bootIndex, bootIndex, bootIndex
	}
	for _, name := range c.names {
		c.start(c.recorder.servers[name])
	}
	return c
}

func config(name string) *raft.Config {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(name)
	config.HeartbeatTimeout, config.ElectionTimeout, config.LeaderLeaseTimeout = timeout, timeout, timeout
	config.CommitTimeout = timeout / 10
	config.MaxAppendEntries = 4
	config.SnapshotThreshold, config.SnapshotInterval = 1<<40, time.Hour
	config.Logger = hclog.New(&hclog.LoggerOptions{Output: io.Discard})
	return config
}

// start gives a server a node, and then its inbox to whoever has something for it.
func (c *cluster) start(s *server) {
	l := &life{server: s, ended: make(chan struct{})}
	l.crashWhileVoting = func() bool { return rand.Float64() < c.crashWhileVoting }
	t := &transport{life: l, network: c.network, consumer: make(chan raft.RPC)}
	s.role, s.handling, s.answers = follower, nil, nil
	node, err := raft.NewRaft(config(s.name), machine{}, l, l, raft.NewDiscardSnapshotStore(), t)
	must(err)
	node.RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		role, ok := o.Data.(raft.RaftState)
		return ok && l.writing(func() error { s.roleHasChanged(role); return nil }) != nil
	}))
	c.recorder.lock.Lock()
	s.node, s.life = node, l
	s.tell("start", nil)
	c.recorder.lock.Unlock()
	c.network.inboxes[s.name] <- t
}

// crash stops a server that is neither handling a call nor beginning an election. What is on its disk stays.
func (c *cluster) crash(s *server) {
	<-c.network.inboxes[s.name]
	c.recorder.lock.Lock()
	for s.isVoting && !s.life.hasEnded() {
		c.recorder.lock.Unlock()
		time.Sleep(time.Millisecond)
		c.recorder.lock.Lock()
	}
	node := s.node
	if !s.life.hasEnded() {
		close(s.life.ended)
	}
	s.node = nil
	c.recorder.lock.Unlock()
	must(node.Shutdown().Error())
}

func (c *cluster) isCut(from, to string) bool {
	isolated := c.isolated.Load()
	return isolated == from || isolated == to
}

// run lets things happen for some time.
func (c *cluster) run(duration time.Duration) {
	for end := time.Now().Add(duration); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		s := c.recorder.servers[c.names[rand.Intn(len(c.names))]]
		switch chance := rand.Intn(100); {
		case s.life.hasEnded(), chance < 1:
			c.crash(s)
			time.Sleep(time.Duration(rand.Int63n(int64(timeout))))
			c.start(s)
		case chance < 3:
			c.isolated.Store(s.name)
		case chance < 6:
			c.isolated.Store("")
		case chance < 40:
			c.propose()
		}
	}
}

// propose gives values to all servers. Those that are no leaders refuse.
func (c *cluster) propose() {
	for _, name := range c.names {
		c.values++
		c.recorder.servers[name].node.Apply([]byte(fmt.Sprint(c.values)), timeout)
	}
}

// A machine is a state machine that has no state.
type machine struct{}

// Apply implements raft.FSM.
func (machine) Apply(*raft.Log) any { return nil }

// Snapshot implements raft.FSM.
func (machine) Snapshot() (raft.FSMSnapshot, error) { return nil, errUnsupported }

// Restore implements raft.FSM.
func (machine) Restore(snapshot io.ReadCloser) error { return snapshot.Close() }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
