package sink

import (
	"context"
	"log/slog"
	"os"
)

// File appends to a file, made with mode 0600. A file that was renamed or removed is made
// anew before the next batch, so that it can be rotated without telling anybody.
func File(path string, log *slog.Logger) (*Sink, error) {
	f := &file{path: path}
	if err := f.open(); err != nil {
		return nil, err
	}
	return newSink(path, log, f.deliver, f.close), nil
}

// A file belongs to the goroutine that runs its sink.
type file struct {
	path string
	f    *os.File // nil after a failure
}

func (f *file) open() (err error) {
	f.f, err = os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return err
}

func (f *file) close() {
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
}

// moved reports whether the path no longer leads to the open file.
func (f *file) moved() bool {
	at, err := os.Stat(f.path)
	if err != nil {
		return true
	}
	open, err := f.f.Stat()
	return err != nil || !os.SameFile(at, open)
}

func (f *file) deliver(_ context.Context, batch []byte) error {
	if f.f != nil && f.moved() {
		f.close()
	}
	if f.f == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	_, err := f.f.Write(batch)
	return err
}
