// Porcupine on the histories that benchmarks/histories.py measures: file, answer and median seconds, one a line.
//
//	porcupine jepsen|porcupine RUNS FILE...
package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"
)

type registerInput struct {
	op   string
	a, b int
}
type registerOutput struct {
	ok, unknown, exists bool
	value               int
}

var registerModel = porcupine.Model{
	Init: func() interface{} { return -1 << 40 },
	Step: func(state, input, output interface{}) (bool, interface{}) {
		s, in, out := state.(int), input.(registerInput), output.(registerOutput)
		switch in.op {
		case "read":
			return out.unknown || (out.exists && out.value == s) || (!out.exists && s == -1<<40), s
		case "write":
			return true, in.a
		}
		if out.unknown {
			if s == in.a {
				return true, in.b
			}
			return true, s
		}
		if (s == in.a) != out.ok {
			return false, s
		}
		if out.ok {
			return true, in.b
		}
		return true, s
	},
}

type kvInput struct{ op, key, value string }

var kvModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation { return nil },
	PartitionEvent: func(history []porcupine.Event) [][]porcupine.Event {
		m := map[string][]porcupine.Event{}
		keys := map[int]string{}
		for _, e := range history {
			if e.Kind == porcupine.CallEvent {
				keys[e.Id] = e.Value.(kvInput).key
			}
			k := keys[e.Id]
			m[k] = append(m[k], e)
		}
		var r [][]porcupine.Event
		for _, v := range m {
			r = append(r, v)
		}
		return r
	},
	Init: func() interface{} { return "" },
	Step: func(state, input, output interface{}) (bool, interface{}) {
		s, in := state.(string), input.(kvInput)
		switch in.op {
		case "get":
			return output.(string) == s, s
		case "put":
			return true, in.value
		}
		return true, s + in.value
	},
}

var jepsenLine = regexp.MustCompile(`^INFO\s+jepsen\.util - (\d+)\s+:(\w+)\s+:(\w+)\s+(.*)$`)
var kvLine = regexp.MustCompile(`^\{:process (\d+), :type :(\w+), :f :(\w+), :key "(.*)", :value (nil|"(.*)")\}$`)
var pair = regexp.MustCompile(`^\[(-?\d+) (-?\d+)\]$`)

func lines(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 1<<20), 1<<26)
	var r []string
	for sc.Scan() {
		if sc.Text() != "" {
			r = append(r, sc.Text())
		}
	}
	return r
}

func jepsen(path string) []porcupine.Event {
	var events []porcupine.Event
	id, open, timedOut := 0, map[string]int{}, map[int]bool{}
	var unknown []int
	for _, l := range lines(path) {
		m := jepsenLine.FindStringSubmatch(l)
		p, t, f, v := m[1], m[2], m[3], m[4]
		if t == "invoke" {
			in := registerInput{op: f}
			if f == "write" {
				in.a, _ = strconv.Atoi(v)
			}
			if q := pair.FindStringSubmatch(v); q != nil {
				in.a, _ = strconv.Atoi(q[1])
				in.b, _ = strconv.Atoi(q[2])
			}
			events = append(events, porcupine.Event{Kind: porcupine.CallEvent, Value: in, Id: id})
			open[p] = id
			id++
			continue
		}
		i := open[p]
		if v == ":timed-out" {
			timedOut[i] = true
			if f == "read" {
				events = append(events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: registerOutput{unknown: true}, Id: i})
			} else {
				unknown = append(unknown, i)
			}
			delete(open, p)
			continue
		}
		out := registerOutput{ok: t == "ok"}
		if f == "read" && v != "nil" {
			out.exists = true
			out.value, _ = strconv.Atoi(v)
		}
		events = append(events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: out, Id: i})
		delete(open, p)
	}
	for _, i := range unknown {
		events = append(events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: registerOutput{unknown: true}, Id: i})
	}
	for _, i := range open {
		events = append(events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: registerOutput{unknown: true}, Id: i})
	}
	return events
}

func kv(path string) []porcupine.Event {
	var events []porcupine.Event
	id, open := 0, map[string]int{}
	for _, l := range lines(path) {
		m := kvLine.FindStringSubmatch(l)
		if m[2] == "invoke" {
			events = append(events, porcupine.Event{Kind: porcupine.CallEvent, Value: kvInput{m[3], m[4], m[6]}, Id: id})
			open[m[1]] = id
			id++
			continue
		}
		events = append(events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: m[6], Id: open[m[1]]})
		delete(open, m[1])
	}
	if len(open) > 0 {
		panic("operations under way at the end")
	}
	return events
}

func main() {
	model, read := registerModel, jepsen
	if os.Args[1] == "porcupine" {
		model, read = kvModel, kv
	}
	runs, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	for _, path := range os.Args[3:] {
		var seconds []float64
		var result porcupine.CheckResult
		for run := 0; run < runs; run++ {
			start := time.Now()
			result = porcupine.CheckEventsTimeout(model, read(path), 120*time.Second)
			seconds = append(seconds, time.Since(start).Seconds())
		}
		sort.Float64s(seconds)
		fmt.Println(path, result, seconds[len(seconds)/2])
	}
}
