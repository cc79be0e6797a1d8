package acme

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// hookTime bounds one run of a Hook: it may wait until its record is seen.
const hookTime = 5 * time.Minute

// A Hook is a program that puts TXT records into the DNS and takes them out, for dns-01
// (RFC 8555 section 8.4). It is run as
//
//	PROGRAM present _acme-challenge.api.example.com VALUE
//	PROGRAM cleanup _acme-challenge.api.example.com VALUE
//
// and ends with status 0 when the record is there for all to see, or gone. A name may have two
// values at a time: that of a wildcard and that of the name below it. The program has our
// environment but for what is called GATEHOUSE_…, which holds secrets.
type Hook string

// Present implements acmez.Solver.
func (h Hook) Present(ctx context.Context, c acme.Challenge) error { return h.run(ctx, "present", c) }

// CleanUp takes the record out, also when the order was cancelled.
func (h Hook) CleanUp(ctx context.Context, c acme.Challenge) error {
	return h.run(context.WithoutCancel(ctx), "cleanup", c)
}

func (h Hook) run(ctx context.Context, what string, c acme.Challenge) error {
	ctx, cancel := context.WithTimeout(ctx, hookTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, string(h), what, c.DNS01TXTRecordName(), c.DNS01KeyAuthorization())
	cmd.Env = hookEnvironment(os.Environ())
	cmd.WaitDelay = 5 * time.Second
	var said tail
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("acme.dns-hook %s %s: %w: %s", what, c.DNS01TXTRecordName(), err, bytes.TrimSpace(said))
	}
	return nil
}

func hookEnvironment(all []string) []string {
	var out []string
	for _, v := range all {
		if !strings.HasPrefix(v, "GATEHOUSE_") {
			out = append(out, v)
		}
	}
	return out
}

// A tail keeps the last of what is written to it.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	const most = 1 << 10
	*t = append(*t, p...)
	*t = (*t)[max(0, len(*t)-most):]
	return len(p), nil
}
