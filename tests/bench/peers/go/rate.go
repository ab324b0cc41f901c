package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// What cannot be said to have ended.
const never = (1<<63 - 1) >> 20

// So many sends a second, a goroutine each, whatever became of those before. Prints "begun" when warming up is over,
// then of each send the microseconds from there at which it was due, how long it took from then, and 1 if it was
// stored.
func atRate(client sender, body []byte, rate int64, warm, measured time.Duration, firstMs float64) {
	all := (warm + measured).Milliseconds() * rate / 1000
	took, stored := make([]atomic.Int64, all), make([]atomic.Bool, all)
	var ended atomic.Int64
	origin := time.Now()
	due := func(n int64) time.Time { return origin.Add(time.Duration(n * int64(time.Second) / rate)) }
	send := func(n int64) {
		result, err := client.SendSync(context.Background(), primitive.NewMessage("bench-0", body))
		ok := err == nil && result.Status == primitive.SendOK
		took[n].Store(int64(time.Since(due(n))))
		stored[n].Store(ok)
		if ok {
			done.Add(1)
		} else {
			failed.Add(1)
		}
		ended.Add(1)
	}
	go func() {
		// A timer of the runtime may be a millisecond late; a thread's sleep is not.
		runtime.LockOSThread()
		for n := int64(0); n < all; n++ {
			for left := time.Until(due(n)); left > 0; left = time.Until(due(n)) {
				pause := syscall.NsecToTimespec(int64(left))
				_ = syscall.Nanosleep(&pause, nil)
			}
			go send(n)
		}
	}()
	time.Sleep(warm)
	fmt.Println("begun")
	before, cpuBefore, begun := done.Load(), cpuSeconds(), time.Now()
	time.Sleep(measured)
	seconds, cpu, messages := time.Since(begun).Seconds(), cpuSeconds()-cpuBefore, done.Load()-before
	for patience := time.Now().Add(15 * time.Second); ended.Load() < all && time.Now().Before(patience); {
		time.Sleep(20 * time.Millisecond)
	}
	out := bufio.NewWriter(os.Stdout)
	var latencies []int64
	for n := warm.Milliseconds() * rate / 1000; n < all; n++ {
		start, micros, ok := due(n).Sub(origin)-warm, int64(never), 0
		if nanos := took[n].Load(); nanos > 0 {
			micros = nanos / 1000
		}
		if stored[n].Load() {
			ok = 1
			latencies = append(latencies, took[n].Load())
		}
		fmt.Fprintln(out, start.Microseconds(), micros, ok)
	}
	check(out.Flush())
	print(messages, seconds, cpu, latencies, firstMs)
}
