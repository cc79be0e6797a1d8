package store

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrBackup: what was to be restored is no backup, is cut or damaged, or comes from
// a newer version.
var ErrBackup = errors.New("not a usable backup")

// A BackupInfo says what a backup holds.
type BackupInfo struct {
	Created  time.Time
	Revision int64
	Rows     int  // of all tables
	Keys     bool // whether the sealing keys are in it
}

// maxEntry bounds one entry of a backup, in bytes: entries of rows exceed
// bytesPerEntry by one row at most, whose body the callers of Put bound.
const maxEntry = 256 << 20

// VerifyBackup reads a whole backup and checks that it is complete and undamaged.
func VerifyBackup(r io.Reader) (BackupInfo, error) {
	return readBackup(r, func(backupHead) error { return nil }, discardRows{})
}

// Restore replaces everything in the store by what a backup holds, in one
// transaction: it happens as a whole or not at all, and readers see either. The
// backup is read to its end and checked before, into a temporary file unless r can
// seek, so that a slow sender keeps no writer waiting. The revision grows, so every
// Watch ends with ErrRelist. Keys in the backup are added to the key file; without
// them the key file must hold the sealing key that the backup was made under.
func (s *Store) Restore(ctx context.Context, r io.Reader) (info BackupInfo, err error) {
	from, done, err := s.spool(r)
	if err != nil {
		return info, fmt.Errorf("store: restore: %w", err)
	}
	defer done()
	if info, err = VerifyBackup(from); err == nil {
		_, err = from.Seek(0, io.SeekStart)
	}
	if err == nil {
		info, err = s.restore(ctx, from)
	}
	if err != nil {
		return info, fmt.Errorf("store: restore: %w", err)
	}
	s.commits.broadcast()
	if err := s.db.analyze(ctx); err != nil {
		s.log.Warn("statistics were not brought up to date after a restore", "error", err)
	}
	return info, nil
}

// spool makes a backup readable twice.
func (s *Store) spool(r io.Reader) (from io.ReadSeeker, done func(), err error) {
	if seeker, ok := r.(io.ReadSeeker); ok {
		return seeker, func() {}, nil
	}
	// In the data folder, since that of temporary files may be in memory.
	f, err := os.CreateTemp(s.dir, "restore-*")
	if err != nil {
		return nil, nil, err
	}
	done = func() {
		f.Close()
		os.Remove(f.Name())
	}
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return f, done, nil
}

// restore is not tried again when the database asks for it: r is read to its end.
func (s *Store) restore(ctx context.Context, r io.Reader) (info BackupInfo, err error) {
	var restored []dataKey
	err = s.attempt(ctx, modeUpdate, func(tx *Tx) error {
		if err := tx.empty(); err != nil {
			return err
		}
		rows := &restorer{tx: tx}
		if info, err = readBackup(r, rows.begin, rows); err != nil {
			return err
		}
		if err := tx.renumber(max(tx.revision, info.Revision) + 1); err != nil {
			return err
		}
		if restored, err = tx.dataKeys(); err != nil {
			return err
		}
		if len(restored) == 0 {
			return fmt.Errorf("%w: it holds no data keys", ErrBackup)
		}
		return s.keys.load(restored) // else nothing could be read
	}, nil)
	if err != nil {
		// The keys of the store as it still is.
		if again := s.openKeyring(ctx); again != nil {
			err = errors.Join(err, again)
		}
	}
	return info, err
}

// empty deletes everything, tables that refer to others first.
func (tx *Tx) empty() error {
	for _, t := range slices.Backward(savedTables) {
		if t.name == "blobs" {
			if _, err := tx.exec(`DELETE FROM chunks`); err != nil {
				return err
			}
		}
		if _, err := tx.exec(`DELETE FROM ` + t.name); err != nil {
			return err
		}
	}
	_, err := tx.exec(`DELETE FROM changes`)
	return err
}

// renumber sets the revision and tells other nodes to look.
func (tx *Tx) renumber(revision int64) error {
	if _, err := tx.exec(`UPDATE revision SET value = $1`, revision); err != nil {
		return err
	}
	for _, t := range savedTables {
		if t.serial != "" {
			if err := tx.store.db.resumeSerial(tx.ctx, tx.ses, t.name, t.serial); err != nil {
				return err
			}
		}
	}
	return tx.store.db.announce(tx.ctx, tx.ses)
}

// rowSink receives what a backup holds, in its order.
type rowSink interface {
	rows(t savedTable, rows [][]any) error
	chunk(blob, n int64, data []byte) error
	sealingKeys([]sealingKey) error
}

type discardRows struct{}

func (discardRows) rows(savedTable, [][]any) error   { return nil }
func (discardRows) chunk(int64, int64, []byte) error { return nil }
func (discardRows) sealingKeys([]sealingKey) error   { return nil }

// A restorer writes what it receives into the store.
type restorer struct {
	tx *Tx
}

// begin refuses a backup of a newer schema. An older one is welcome: columns that
// it lacks get their defaults.
func (r *restorer) begin(head backupHead) error {
	var schema int64
	if err := r.tx.one([]any{&schema}, schemaVersion); err != nil {
		return err
	}
	if head.Schema > schema {
		return fmt.Errorf("%w: %w: its schema version is %d, this program knows %d", ErrBackup, ErrNewer, head.Schema, schema)
	}
	return nil
}

func (r *restorer) rows(t savedTable, rows [][]any) error {
	return r.tx.insertAll(t.name, t.columns, rows)
}

func (r *restorer) chunk(blob, n int64, data []byte) error {
	_, err := r.tx.exec(`INSERT INTO chunks (blob, n, data) VALUES ($1, $2, $3)`, blob, n, data)
	return err
}

func (r *restorer) sealingKeys(keys []sealingKey) error {
	for _, k := range keys {
		if err := r.tx.store.keys.file.add(k); err != nil {
			return err
		}
	}
	return nil
}

// readBackup hands the content of a backup to the sink and checks it against its end.
func readBackup(r io.Reader, begin func(backupHead) error, sink rowSink) (info BackupInfo, err error) {
	b := &backupReader{tar: tar.NewReader(bufio.NewReaderSize(r, 1<<20)), digest: sha256.New(), sink: sink,
		seen: backupEnd{Rows: map[string]int{}}}
	name, content, err := b.next()
	if err != nil || name != headEntry {
		return info, fmt.Errorf("%w: it does not begin with %s: %w", ErrBackup, headEntry, orUnexpected(err))
	}
	if err := strictJSON(content, &b.head); err != nil {
		return info, fmt.Errorf("%w: %s: %w", ErrBackup, headEntry, err)
	}
	if b.head.Format != backupFormat {
		return info, fmt.Errorf("%w: its format is %d, want %d", ErrBackup, b.head.Format, backupFormat)
	}
	if err := begin(b.head); err != nil {
		return info, err
	}
	for {
		sum := hex.EncodeToString(b.digest.Sum(nil)) // of what came before
		name, content, err := b.next()
		if err != nil {
			return info, fmt.Errorf("%w: it is cut or damaged before its end: %w", ErrBackup, orUnexpected(err))
		}
		if name == endEntry {
			return b.info(), b.finish(content, sum)
		}
		if err := b.take(name, content); err != nil {
			return info, fmt.Errorf("%s: %w", name, err)
		}
	}
}

// A backupReader reads one backup.
type backupReader struct {
	tar    *tar.Reader
	digest hash.Hash
	sink   rowSink
	head   backupHead
	seen   backupEnd
	keys   bool
}

func (b *backupReader) next() (name string, content []byte, err error) {
	h, err := b.tar.Next()
	if err != nil {
		return "", nil, err
	}
	if h.Typeflag != tar.TypeReg || h.Size > maxEntry {
		return "", nil, fmt.Errorf("entry %.100q of type %q with %d bytes", h.Name, h.Typeflag, h.Size)
	}
	if content, err = io.ReadAll(b.tar); err != nil {
		return "", nil, err
	}
	digest(b.digest, h.Name, content)
	return h.Name, content, nil
}

// take hands one entry to the sink.
func (b *backupReader) take(name string, content []byte) error {
	if name == keysEntry {
		keys, err := parseKeys(content)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBackup, err)
		}
		b.keys = true
		return b.sink.sealingKeys(keys)
	}
	if place, ok := strings.CutPrefix(name, chunkPrefix); ok {
		blob, n, _ := strings.Cut(place, "/")
		id, err1 := strconv.ParseInt(blob, 10, 64)
		number, err2 := strconv.ParseInt(n, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("%w: %w", ErrBackup, err)
		}
		b.seen.Chunks++
		return b.sink.chunk(id, number, content)
	}
	table, _, _ := strings.Cut(name, "/")
	i := slices.IndexFunc(savedTables, func(t savedTable) bool { return t.name == table })
	if i < 0 {
		return fmt.Errorf("%w: unknown entry", ErrBackup)
	}
	t, err := savedTables[i].only(b.head.Columns[table])
	if err != nil {
		return err
	}
	var rows [][]any
	for line := range bytes.Lines(content) {
		row := t.row()
		if err := strictRow(line, row); err != nil {
			return fmt.Errorf("%w: row %d: %w", ErrBackup, len(rows)+1, err)
		}
		rows = append(rows, values(row))
	}
	b.seen.Rows[table] += len(rows)
	return b.sink.rows(t, rows)
}

// finish compares what was read with what the end says.
func (b *backupReader) finish(content []byte, sum string) error {
	var end backupEnd
	if err := strictJSON(content, &end); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBackup, endEntry, err)
	}
	if end.SHA256 != sum {
		return fmt.Errorf("%w: it is damaged: its digest is %s, %s says %s", ErrBackup, sum, endEntry, end.SHA256)
	}
	if !maps.Equal(end.Rows, b.seen.Rows) || end.Chunks != b.seen.Chunks {
		return fmt.Errorf("%w: it holds %v rows and %d chunks, %s says %v and %d",
			ErrBackup, b.seen.Rows, b.seen.Chunks, endEntry, end.Rows, end.Chunks)
	}
	return nil
}

func (b *backupReader) info() BackupInfo {
	info := BackupInfo{Created: b.head.Created, Revision: b.head.Revision, Keys: b.keys}
	for _, n := range b.seen.Rows {
		info.Rows += n
	}
	return info
}

// only returns the table with the columns that a backup has of it, in its order.
func (t savedTable) only(columns []string) (savedTable, error) {
	part := savedTable{name: t.name}
	for _, c := range columns {
		i := slices.Index(t.columns, c)
		if i < 0 {
			return part, fmt.Errorf("%w: unknown column %.40q of %s", ErrBackup, c, t.name)
		}
		part.columns = append(part.columns, c)
		part.types += t.types[i : i+1]
	}
	if len(columns) == 0 {
		return part, fmt.Errorf("%w: no columns of %s are given", ErrBackup, t.name)
	}
	return part, nil
}

func (t savedTable) selectAll() string {
	return `SELECT ` + strings.Join(t.columns, ", ") + ` FROM ` + t.name + ` ORDER BY ` + t.order
}

// strictRow reads a JSON array of exactly these values.
func strictRow(line []byte, row []any) error {
	n := len(row)
	if err := json.Unmarshal(line, &row); err != nil {
		return err
	}
	if len(row) != n {
		return fmt.Errorf("it has %d values, want %d", len(row), n)
	}
	if i := slices.Index(row, nil); i >= 0 { // what JSON's null does to a pointer
		return fmt.Errorf("value %d is null", i+1)
	}
	return nil
}

// values follows the pointers of a row.
func values(row []any) []any {
	out := make([]any, len(row))
	for i, p := range row {
		switch p := p.(type) {
		case *int64:
			out[i] = *p
		case *string:
			out[i] = *p
		case *[]byte:
			out[i] = notNil(*p)
		}
	}
	return out
}

func strictJSON(content []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// orUnexpected names a missing entry: a backup never just ends.
func orUnexpected(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
