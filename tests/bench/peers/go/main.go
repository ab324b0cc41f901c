// The Go client (rocketmq-client-go v2): a goroutine for each send in flight, or SendAsync behind a channel; or sends
// at a fixed rate (rate.go). Words: name server, sync, async or rate, in flight or a second, bytes, warm-up and
// measured milliseconds, default or best settings.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

var (
	done, failed, timed atomic.Int64
	// Nanoseconds of the last sends, one of 16.
	latencies = make([]int64, 1<<20)
)

func main() {
	started := time.Now()
	rlog.SetLogLevel("error")
	words := os.Args[1:]
	number := func(n int) int {
		value, err := strconv.Atoi(words[n])
		check(err)
		return value
	}
	inFlight, body := number(2), bytes.Repeat([]byte("x"), number(3))
	settings := []producer.Option{
		producer.WithNsResolver(primitive.NewPassthroughResolver([]string{words[0]})),
		producer.WithGroupName("bench"),
		producer.WithCompressMsgBodyOverHowmuch(1 << 30),
	}
	if words[1] != "rate" {
		settings = append(settings, producer.WithRetry(2), producer.WithSendMsgTimeout(10*time.Second))
	} else if words[6] == "best" {
		// The timeout is that of an attempt here. There is no strategy that avoids brokers.
		settings = append(settings, producer.WithRetry(5), producer.WithSendMsgTimeout(500*time.Millisecond))
	}
	client, err := producer.NewDefaultProducer(settings...)
	check(err)
	check(client.Start())
	_, err = client.SendSync(context.Background(), primitive.NewMessage("bench-0", body))
	check(err)
	firstMs := float64(time.Since(started).Microseconds()) / 1e3
	fmt.Println("first")
	warm, measured := time.Duration(number(4))*time.Millisecond, time.Duration(number(5))*time.Millisecond
	if words[1] == "rate" {
		atRate(client, body, int64(inFlight), warm, measured, firstMs)
		return
	}

	if words[1] == "sync" {
		every := int64(16)
		if inFlight == 1 {
			every = 1
		}
		for n := 0; n < inFlight; n++ {
			go sendSync(client, body, every)
		}
	} else {
		go sendAsync(client, body, inFlight)
	}
	time.Sleep(warm)
	timed.Store(0)
	before, cpuBefore, begun := done.Load(), cpuSeconds(), time.Now()
	time.Sleep(measured)
	seconds, cpu, messages := time.Since(begun).Seconds(), cpuSeconds()-cpuBefore, done.Load()-before
	kept := min(int(timed.Load()), len(latencies))
	sorted := append([]int64(nil), latencies[:kept]...)
	print(messages, seconds, cpu, sorted, firstMs)
}

func print(messages int64, seconds, cpu float64, sorted []int64, firstMs float64) {
	sort.Slice(sorted, func(a, b int) bool { return sorted[a] < sorted[b] })
	fmt.Printf(`{"messages":%d,"failed":%d,"seconds":%f,"cpu_seconds":%f,"p50_us":%f,"p99_us":%f,`+
		`"p999_us":%f,"resident_kib":%d,"threads":%d,"first_ms":%f}`+"\n",
		messages, failed.Load(), seconds, cpu, at(sorted, 0.5), at(sorted, 0.99), at(sorted, 0.999),
		status("VmRSS:"), status("Threads:"), firstMs)
}

type sender interface {
	SendSync(context.Context, ...*primitive.Message) (*primitive.SendResult, error)
}

func sendSync(client sender, body []byte, every int64) {
	for n := int64(0); ; n++ {
		begun := time.Now()
		_, err := client.SendSync(context.Background(), primitive.NewMessage("bench-0", body))
		count(err, n%every == 0, begun)
	}
}

func sendAsync(client interface {
	SendAsync(context.Context, func(context.Context, *primitive.SendResult, error), ...*primitive.Message) error
}, body []byte, inFlight int) {
	room := make(chan struct{}, inFlight)
	for n := int64(0); ; n++ {
		room <- struct{}{}
		begun, isTimed := time.Now(), n%16 == 0
		err := client.SendAsync(context.Background(), func(_ context.Context, _ *primitive.SendResult, err error) {
			count(err, isTimed, begun)
			<-room
		}, primitive.NewMessage("bench-0", body))
		if err != nil {
			count(err, false, begun)
			<-room
		}
	}
}

func count(err error, isTimed bool, begun time.Time) {
	if err != nil {
		failed.Add(1)
		return
	}
	done.Add(1)
	if isTimed {
		if index := timed.Add(1) - 1; index < int64(len(latencies)) {
			latencies[index] = int64(time.Since(begun))
		}
	}
}

func at(sorted []int64, quantile float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(float64(len(sorted)-1)*quantile)]) / 1e3
}

// User and system time; a tick is a hundredth of a second wherever Linux runs.
func cpuSeconds() float64 {
	stat, err := os.ReadFile("/proc/self/stat")
	check(err)
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

func status(line string) int {
	text, err := os.ReadFile("/proc/self/status")
	check(err)
	for _, found := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(found, line) {
			value, _ := strconv.Atoi(strings.Fields(found)[1])
			return value
		}
	}
	return 0
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
