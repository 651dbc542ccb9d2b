package main

import (
	"bufio"
	"encoding/json"

	"go.etcd.io/raft/v3"
)

// A tracer writes what the library says of a server, one JSON object a line, as etcd's own tests do.
type tracer struct {
	server *server
	out    *bufio.Writer
}

type tracedLine struct {
	Tag   string             `json:"tag"`
	Event *raft.TracingEvent `json:"event"`
}

// TraceEvent implements raft.TraceLogger.
func (t *tracer) TraceEvent(event *raft.TracingEvent) {
	t.server.fault.lieAboutEvent(t.server, event)
	line, err := json.Marshal(tracedLine{"trace", event})
	must(err)
	t.out.Write(append(line, '\n')) // An error stays in the writer until Flush.
}
