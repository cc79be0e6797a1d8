package localca

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A File keeps the authority in a file of mode 0600.
type File string

// Load implements Keeper. A file that others may read is refused.
func (f File) Load(context.Context) ([]byte, error) {
	info, err := os.Stat(string(f))
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %#o, want 0600: it holds a private key", f, info.Mode().Perm())
	}
	return os.ReadFile(string(f))
}

// Create implements Keeper. The file appears whole or not at all: it is written under
// another name and linked, which fails when the name is taken.
func (f File) Create(_ context.Context, secret []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), ".local-ca-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err = tmp.Write(secret); err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", f, err)
	}
	if err := os.Link(tmp.Name(), string(f)); err != nil {
		if os.IsExist(err) {
			return fmt.Errorf("%s: %w", f, fs.ErrExist)
		}
		return err
	}
	dir, err := os.Open(filepath.Dir(string(f)))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
