package store

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SealingKeyFile is the name of the file with the sealing keys in the data folder,
// used when no other file is configured.
const SealingKeyFile = "sealing.key"

// ErrSealingKey: the sealing key of the store is missing or is another one. No new
// key is ever made for a store that has one.
var ErrSealingKey = errors.New("sealing key does not fit the store")

const keyFileHead = `# Sealing keys of Gatehouse, the newest last: id and key.
# Without them the secrets in the database cannot be read. Keep a copy away from
# the database and its backups. A line may be removed once no backup needs it.
`

// A sealingKey wraps data keys. It never enters the database.
type sealingKey struct {
	id  string // fingerprint: tells which key is missing without revealing it
	key [32]byte
}

func newSealingKey() sealingKey {
	var k sealingKey
	rand.Read(k.key[:])
	k.id = fingerprint(k.key)
	return k
}

func fingerprint(key [32]byte) string {
	sum := sha256.Sum256(append([]byte("gatehouse sealing key\x00"), key[:]...))
	return hex.EncodeToString(sum[:8])
}

// A keyFile holds sealing keys, the newest last.
type keyFile struct {
	path string
}

// maxKeyFile bounds what is read as a key file, in bytes.
const maxKeyFile = 64 << 10

// read returns the keys; none and no error when the file does not exist.
func (f keyFile) read() ([]sealingKey, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: sealing key: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("store: sealing key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return nil, fmt.Errorf("store: sealing key file %s has mode %04o, readable by everyone; want 0600", f.path, mode)
	}
	body, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("store: sealing key: %w", err)
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, fmt.Errorf("store: sealing key file %s: %w", f.path, err)
	}
	return keys, nil
}

// parseKeys reads lines of an id and a key in base64; # begins a comment line.
// Errors name the line, never its content.
func parseKeys(body []byte) (keys []sealingKey, err error) {
	if len(body) > maxKeyFile {
		return nil, fmt.Errorf("more than %d bytes", maxKeyFile)
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		id, encoded, _ := strings.Cut(line, " ")
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		var k sealingKey
		if err != nil || len(raw) != len(k.key) {
			return nil, fmt.Errorf("line %d: want an id and %d bytes in base64", n, len(k.key))
		}
		copy(k.key[:], raw)
		if k.id = fingerprint(k.key); k.id != id {
			return nil, fmt.Errorf("line %d: the key has the id %s, not %.16q", n, k.id, id)
		}
		keys = append(keys, k)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("holds no key")
	}
	return keys, nil
}

func formatKeys(keys []sealingKey) []byte {
	var b bytes.Buffer
	b.WriteString(keyFileHead)
	for _, k := range keys {
		fmt.Fprintf(&b, "%s %s\n", k.id, base64.StdEncoding.EncodeToString(k.key[:]))
	}
	return b.Bytes()
}

// write replaces the file, so that after a crash either the old or the new one is there.
func (f keyFile) write(keys []sealingKey) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("store: write sealing key file: %w", err)
		}
	}()
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(f.path)+".*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once renamed
	_, err = tmp.Write(formatKeys(keys))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), f.path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// add appends a key unless it is there.
func (f keyFile) add(k sealingKey) error {
	keys, err := f.read()
	if err != nil {
		return err
	}
	for _, have := range keys {
		if have == k {
			return nil
		}
	}
	return f.write(append(keys, k))
}

// syncFolder makes a rename within the folder last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
