// The load at the end of the quickstart, and what is printed of it while it runs.

package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	pb "google.golang.org/grpc/examples/quickstart/words"
)

// load has callers call Shout, each one call after the other, for the time d. All of them share one connection.
func load(client pb.WordsClient, callers int, d time.Duration) {
	fmt.Printf("\n%d callers of Shout for %v:\n\n  %8s %11s %11s %11s\n", callers, d, "time", "calls/s", "p50", "p99")
	var mu sync.Mutex // guards the latencies
	var latest, all latencies
	var running sync.WaitGroup
	start := time.Now()
	for range callers {
		running.Go(func() {
			for began := time.Now(); began.Sub(start) < d; {
				_, err := client.Shout(context.Background(), &pb.Word{Text: "hello"})
				check(err)
				ended := time.Now()
				mu.Lock()
				latest.add(ended.Sub(began))
				all.add(ended.Sub(began))
				mu.Unlock()
				began = ended
			}
		})
	}
	const every = 250 * time.Millisecond
	for range time.Tick(every) {
		mu.Lock()
		elapsed := time.Since(start)
		latest.print(fmt.Sprintf("%.2f s", elapsed.Seconds()), every)
		latest = latencies{}
		mu.Unlock()
		if elapsed >= d {
			running.Wait()
			all.print("all", elapsed)
			return
		}
	}
}

// resolution is how many counters there are for the latencies between one and its double, so that they tell 2 percent apart.
const resolution = 32

// latencies counts calls by how long they took, the first counter from 1 ns on.
type latencies [64 * resolution]int

func (l *latencies) add(took time.Duration) {
	l[int(math.Log2(float64(max(took, 1)))*resolution)]++
}

// print prints what is known of the calls of a time of the given length.
func (l *latencies) print(name string, length time.Duration) {
	calls := 0
	for _, n := range l {
		calls += n
	}
	rate := strconv.Itoa(int(float64(calls) / length.Seconds()))
	fmt.Printf("  %8s %11s %8.2f ms %8.2f ms\n", name, rate, l.quantile(calls/2), l.quantile(calls*99/100))
}

// quantile returns the milliseconds that so many calls did not exceed.
func (l *latencies) quantile(calls int) float64 {
	for i, n := range l {
		if calls -= n; calls < 0 {
			return math.Exp2(float64(i)/resolution) / 1e6
		}
	}
	return 0
}
