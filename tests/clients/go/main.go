// The guide's go-redis Sentinel sample, completed into a loop that writes through a failover.
//
// Writes numbered values, records which were acknowledged, and at the end reads every one of them
// back from the primary of that moment. The options given to NewFailoverClient are the sample's; only
// addresses and passwords come from the command line. See ../README.md for the lines it prints.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const retryAfter = 50 * time.Millisecond

func main() {
	sentinels := flag.String("sentinels", "127.0.0.1:26379", "host:port,host:port,...")
	name := flag.String("name", "mymaster", "name of the group")
	password := flag.String("password", "", "of the servers")
	sentinelPassword := flag.String("sentinel-password", "", "of the sentinels")
	label := flag.String("label", "go-redis", "part of every key")
	seconds := flag.Float64("seconds", 0, "stop by itself; else at the end of stdin")
	pause := flag.Float64("pause-ms", 1, "between two writes")
	gap := flag.Int64("gap-ms", 300, "the least gap to report")
	flag.Parse()

	ctx := context.Background()
	rdb := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:       *name,
		SentinelAddrs:    strings.Split(*sentinels, ","),
		Password:         *password,
		SentinelPassword: *sentinelPassword,
		DB:               0,
		DialTimeout:      10 * time.Second,
		ReadTimeout:      5 * time.Second,
		WriteTimeout:     5 * time.Second,
		PoolSize:         50,
		MinIdleConns:     10,
		MaxRetries:       3,
		MinRetryBackoff:  200 * time.Millisecond,
		MaxRetryBackoff:  5 * time.Second,
	})
	defer rdb.Close()

	var stopped atomic.Bool
	go func() {
		if *seconds > 0 {
			time.Sleep(time.Duration(*seconds * float64(time.Second)))
		} else {
			_, _ = io.Copy(io.Discard, os.Stdin)
		}
		stopped.Store(true)
	}()

	drill := record{label: *label, gapMs: *gap, Client: "go-redis", Errors: map[string]int{}}
	for !stopped.Load() {
		if err := drill.writeNext(ctx, rdb); err != nil {
			time.Sleep(retryAfter)
			continue
		}
		time.Sleep(time.Duration(*pause * float64(time.Millisecond)))
	}
	if err := drill.countLost(ctx, rdb); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	report, err := json.Marshal(drill)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(report))
}
