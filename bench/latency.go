package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/message"
)

// latency prints what the proxies add to the median and the 99th percentile at half of
// the rate that the slower of them reaches, medians of rounds.
func latency(host, prefix string, rounds int, d time.Duration, probe load) error {
	rate := 0.0
	for _, base := range []string{"http://" + nginxHTTP, "http://" + frontHTTP + prefix} {
		begin := time.Now()
		n, err := probe(base, d)
		if err != nil {
			return err
		}
		if r := float64(n) / time.Since(begin).Seconds() / 2; rate == 0 || r < rate {
			rate = r
		}
	}
	type point struct{ name, authority, path string }
	points := []point{{"backend", backendAddr, "/1k"}, {"nginx", nginxHTTP, "/1k"}, {"front", frontHTTP, prefix + "/1k"}}
	half, tail := make(map[string][]float64), make(map[string][]float64)
	for range rounds {
		for _, p := range points {
			took, err := openLoop(p.authority, p.path, host, rate, d)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			half[p.name] = append(half[p.name], took[len(took)/2].Seconds()*1e3)
			tail[p.name] = append(tail[p.name], took[len(took)*99/100].Seconds()*1e3)
		}
	}
	direct, direct99 := median(half["backend"]), median(tail["backend"])
	fmt.Printf("p99             at %.0f requests/s, in ms: backend %.2f p50, %.2f p99", rate, direct, direct99)
	for _, name := range []string{"nginx", "front"} {
		fmt.Printf("; %s adds %.2f and %.2f", name, median(half[name])-direct, median(tail[name])-direct99)
	}
	fmt.Println("   target: below 1 at p99")
	return nil
}

// openLoop sends requests at a steady rate from 32 connections, whether earlier ones
// have been answered or not, and returns how long each took from the moment when it was
// due, sorted.
func openLoop(authority, path, host string, rate float64, d time.Duration) ([]time.Duration, error) {
	target, err := upstream.NewTarget("http", authority, nil)
	if err != nil {
		return nil, err
	}
	const workers = 32
	client := new(upstream.Client)
	defer client.CloseIdle()
	every := time.Duration(workers / rate * float64(time.Second))
	all := make([][]time.Duration, workers)
	failures := make([]error, workers)
	begin := time.Now().Add(10 * time.Millisecond)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			var resp upstream.Response
			for due := begin.Add(every * time.Duration(i) / workers); due.Sub(begin) < d; due = due.Add(every) {
				time.Sleep(time.Until(due))
				if failures[i] = fetch(client, target, path, host, &resp); failures[i] != nil {
					return
				}
				all[i] = append(all[i], time.Since(due))
			}
		})
	}
	wg.Wait()
	took := slices.Concat(all...)
	slices.Sort(took)
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	if len(took) == 0 {
		return nil, fmt.Errorf("no request at %.0f per second", rate)
	}
	return took, nil
}

func fetch(client *upstream.Client, target *upstream.Target, path, host string, resp *upstream.Response) error {
	req := upstream.Request{Method: "GET", Target: path, Host: host, Header: message.Header{{Name: "Accept", Value: "*/*"}}, Deadline: time.Now().Add(10 * time.Second)}
	if err := client.Do(context.Background(), target, &req, resp); err != nil {
		return err
	}
	defer resp.Close()
	for {
		if _, err := resp.Next(); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	if resp.Status != 200 {
		return fmt.Errorf("status %d", resp.Status)
	}
	return nil
}
