package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	readBackKeys = 500
	readBackFor  = 30 * time.Second
)

// record is one client's writes and what became of them; its exported fields are the report.
type record struct {
	Client       string         `json:"client"`
	Tried        int            `json:"tried"`
	Acknowledged int            `json:"acknowledged"`
	Lost         int            `json:"lost"`
	LongestGapMs int64          `json:"longest_gap_ms"`
	Errors       map[string]int `json:"errors"`

	label string
	gapMs int64
	last  int64
}

func (r *record) key(number int) string {
	return fmt.Sprintf("drill:%s:%d", r.label, number)
}

// writeNext writes the number after the last one that was accepted.
func (r *record) writeNext(ctx context.Context, rdb *redis.Client) error {
	number := r.Acknowledged + 1
	r.Tried++
	if err := rdb.Set(ctx, r.key(number), number, 0).Err(); err != nil {
		r.Errors[err.Error()]++
		return err
	}
	r.Acknowledged = number
	now := time.Now().UnixMilli()
	if r.last == 0 {
		fmt.Println("ready")
	} else {
		r.noteGap(now)
	}
	r.last = now
	return nil
}

func (r *record) noteGap(now int64) {
	r.LongestGapMs = max(r.LongestGapMs, now-r.last)
	if now-r.last >= r.gapMs {
		fmt.Printf("gap %d %d\n", r.last, now)
	}
}

// countLost counts the acknowledged numbers that the primary of this moment does not hold.
func (r *record) countLost(ctx context.Context, rdb *redis.Client) error {
	deadline := time.Now().Add(readBackFor)
	for first := 1; first <= r.Acknowledged; {
		last := min(first+readBackKeys-1, r.Acknowledged)
		keys := make([]string, 0, readBackKeys)
		for number := first; number <= last; number++ {
			keys = append(keys, r.key(number))
		}
		values, err := rdb.MGet(ctx, keys...).Result()
		if err != nil {
			if time.Now().After(deadline) {
				return err
			}
			time.Sleep(retryAfter)
			continue
		}
		for index, value := range values {
			if value != strconv.Itoa(first+index) {
				r.Lost++
			}
		}
		first = last + 1
	}
	return nil
}
