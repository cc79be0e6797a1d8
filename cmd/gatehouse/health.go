package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// health asks the server of this configuration whether it is ready: for container health
// checks, where no other program is at hand.
func health(ctx context.Context, c *invocation) error {
	cfg, err := configure(c, "health", nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(cfg.Control)+"/_gatehouse/ready", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return nil
}
