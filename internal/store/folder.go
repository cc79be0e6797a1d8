package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockFile is the file whose lock says who has the data folder open.
const lockFile = "gatehouse.lock"

// A folderLock keeps a second process out of a data folder. The kernel drops it
// when the process ends, however it ends.
type folderLock struct {
	file *os.File
}

// lockFolder makes the folder if absent and locks it. The error matches ErrInUse
// when another process has it.
func lockFolder(dir string) (*folderLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: data folder: %w", err)
	}
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: data folder %s is not writable: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("store: %w: %s%s", ErrInUse, dir, holder(f))
		}
		return nil, fmt.Errorf("store: lock %s: %w", path, err)
	}
	// The process id is for people only, so a failure to write it does no harm.
	if f.Truncate(0) == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return &folderLock{file: f}, nil
}

// holder reads who locked the file, if it says.
func holder(f *os.File) string {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}

func (l *folderLock) unlock() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
