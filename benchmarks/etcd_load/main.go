// Command etcd_load puts keys through etcd's own client library, from many clients at once, and measures how long each
// put takes. It prints one JSON object.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

type report struct {
	Puts    int     `json:"puts"`
	Failed  int     `json:"failed"`
	Seconds float64 `json:"seconds"`
	PerSec  float64 `json:"puts_per_second"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Worst   float64 `json:"worst_ms"`
	Error   string  `json:"first_error,omitempty"`
}

func main() {
	endpoints := flag.String("endpoints", "127.0.0.1:2379", "where the servers are, separated by commas")
	clients := flag.Int("clients", 64, "how many put at once")
	connections := flag.Int("connections", 16, "over how many connections")
	puts := flag.Int("puts", 10000, "how many puts in all")
	keys := flag.Int("keys", 1000, "how many different keys")
	size := flag.Int("value-size", 128, "bytes in a value")
	flag.Parse()
	result, err := load(strings.Split(*endpoints, ","), *clients, *connections, *puts, *keys, *size)
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd_load:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(result)
}

func load(endpoints []string, clients, connections, puts, keys, size int) (*report, error) {
	dialled := make([]*clientv3.Client, connections)
	for i := range dialled {
		// One endpoint a connection, in turn: clients spread over all servers.
		one := []string{endpoints[i%len(endpoints)]}
		client, err := clientv3.New(clientv3.Config{Endpoints: one, DialTimeout: 10 * time.Second})
		if err != nil {
			return nil, err
		}
		defer client.Close()
		dialled[i] = client
	}
	value := strings.Repeat("x", size)
	times := make([][]time.Duration, clients)
	var next, failed int64
	var once sync.Once
	first := ""
	var group sync.WaitGroup
	begin := time.Now()
	for c := 0; c < clients; c++ {
		group.Add(1)
		go func(c int) {
			defer group.Done()
			random := rand.New(rand.NewSource(int64(c)))
			for atomic.AddInt64(&next, 1) <= int64(puts) {
				key := fmt.Sprintf("key-%08d", random.Intn(keys))
				start := time.Now()
				_, err := dialled[c%connections].Put(context.Background(), key, value)
				times[c] = append(times[c], time.Since(start))
				if err != nil {
					atomic.AddInt64(&failed, 1)
					once.Do(func() { first = err.Error() })
				}
			}
		}(c)
	}
	group.Wait()
	seconds := time.Since(begin).Seconds()
	var all []float64
	for _, some := range times {
		for _, one := range some {
			all = append(all, float64(one.Microseconds())/1000)
		}
	}
	sort.Float64s(all)
	at := func(share float64) float64 { return all[min(len(all)-1, int(share*float64(len(all))))] }
	return &report{len(all), int(failed), seconds, float64(len(all)) / seconds, at(0.5), at(0.99), all[len(all)-1], first}, nil
}
