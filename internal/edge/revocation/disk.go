package revocation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A copyHead is the first line of a copy on disk; the object follows.
type copyHead struct {
	Place string    `json:"place"` // for people who look
	ETag  string    `json:"etag"`
	Read  time.Time `json:"read"`
}

// saveCopy keeps an object for the next start. The file appears whole or not at all.
func (m *Manager) saveCopy(k sourceKey, obj Object) (err error) {
	if m.opts.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(m.opts.Dir, 0o700); err != nil {
		return err
	}
	head, err := json.Marshal(copyHead{Place: k.place, ETag: obj.ETag, Read: m.opts.Now()})
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(m.opts.Dir, ".copy-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(append(head, '\n'), obj.Data...))
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(m.opts.Dir, k.file()))
}

// loadCopy gives a new source its last good copy. A copy that cannot be used is reported
// and passed over: the source is about to be fetched anyway.
func (m *Manager) loadCopy(s *source) {
	if m.opts.Dir == "" {
		return
	}
	data, err := os.ReadFile(filepath.Join(m.opts.Dir, s.key.file()))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var head copyHead
	if err == nil {
		line, rest, ok := bytes.Cut(data, []byte("\n"))
		if !ok {
			err = fmt.Errorf("%d octets without a head line", len(data))
		} else if err = json.Unmarshal(line, &head); err == nil {
			s.lists, s.entries, err = s.parse(rest)
		}
	}
	if err != nil {
		m.opts.Logger.Warn("the kept copy of revocation data cannot be used", "place", s.key.place, "error", err)
		return
	}
	s.etag, s.read, s.fromDisk = head.ETag, head.Read, true
}
