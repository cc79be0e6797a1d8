package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"gatehouse/internal/store"
)

// A client calls the operations of a running server. Address, credentials and region come
// from the environment, as for every AWS client.
type client struct {
	endpoint string
}

// newClient reads where the server is.
func newClient(environ []string) (*client, error) {
	for _, kv := range environ {
		if endpoint, ok := strings.CutPrefix(kv, "AWS_ENDPOINT_URL="); ok && endpoint != "" {
			return &client{strings.TrimSuffix(endpoint, "/")}, nil
		}
	}
	return nil, fmt.Errorf("%w: AWS_ENDPOINT_URL is not set: it says where the server is (gatehouse env)", errUsage)
}

// call sends a signed request and returns the answer's body, which the caller closes.
func (c *client) call(ctx context.Context, method, path string, body io.Reader, length int64) (io.ReadCloser, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	creds, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.endpoint+path, body)
	if err != nil {
		return nil, err
	}
	hash := "UNSIGNED-PAYLOAD" // a backup is too long to be read twice
	if body == nil {
		sum := sha256.Sum256(nil)
		hash = hex.EncodeToString(sum[:])
	} else {
		req.ContentLength = length
	}
	req.Header.Set("X-Amz-Content-Sha256", hash)
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, hash, "gatehouse", cfg.Region, time.Now()); err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	return resp.Body, nil
}

// backup asks the server for a backup and writes it to a file, whole or not at all.
func backup(ctx context.Context, c *invocation) error {
	fs := newFlags(c, "backup [flags] FILE", "Writes a backup to FILE, while it serves,"+calling)
	keys := fs.Bool("with-sealing-keys", false, "put the sealing keys in: whoever has the file can read all secrets")
	name, err := fileArgument(fs, c.args)
	if err != nil {
		return err
	}
	cl, err := newClient(c.environ)
	if err != nil {
		return err
	}
	path := "/_gatehouse/backup"
	if *keys {
		path += "?sealing-keys=true"
	}
	body, err := cl.call(ctx, http.MethodGet, path, nil, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, body)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = verify(name + ".part")
	}
	if err != nil {
		os.Remove(name + ".part")
		return fmt.Errorf("the backup did not arrive whole: %w", err)
	}
	if err := os.Rename(name+".part", name); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s: %d bytes\n", name, n)
	return nil
}

// restore sends a backup to the server, which replaces everything by it.
func restore(ctx context.Context, c *invocation) error {
	fs := newFlags(c, "restore FILE", "Replaces everything by the backup in FILE, while it serves: all at once or not at\nall, in the store"+calling)
	name, err := fileArgument(fs, c.args)
	if err != nil {
		return err
	}
	if err := verify(name); err != nil {
		return err
	}
	cl, err := newClient(c.environ)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	body, err := cl.call(ctx, http.MethodPost, "/_gatehouse/restore", f, info.Size())
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(c.stdout, body)
	return err
}

// fileArgument parses flags and the one file that follows them.
func fileArgument(fs *flag.FlagSet, args []string) (string, error) {
	if err := fs.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return "", err
		}
		return "", fmt.Errorf("%w: %w", errUsage, err)
	}
	if fs.NArg() != 1 {
		return "", fmt.Errorf("%w: want one file, found %d", errUsage, fs.NArg())
	}
	return fs.Arg(0), nil
}

// verify reads a backup and checks that it is complete and undamaged.
func verify(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = store.VerifyBackup(f)
	return err
}
