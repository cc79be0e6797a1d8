package store

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"
)

// A backup is a tar file that either database can be restored from:
//
//	gatehouse-backup.json   what it is: a backupHead
//	sealing.key             only when asked for
//	documents/000001.jsonl  rows of a table, one JSON array per line, parents first
//	...
//	chunks/17/0             a chunk of blob 17, as it is
//	...
//	end.json                how much there is and its digest: a backupEnd
//
// It is one snapshot, and without its end it is refused.

const (
	backupFormat = 1
	headEntry    = "gatehouse-backup.json"
	keysEntry    = SealingKeyFile
	endEntry     = "end.json"
	chunkPrefix  = "chunks/"

	// rowsPerEntry and bytesPerEntry bound an entry of rows, and so the memory that
	// writing and reading one takes. One row may exceed bytesPerEntry alone.
	rowsPerEntry  = 1000
	bytesPerEntry = 4 << 20
)

type backupHead struct {
	Format   int       `json:"format"`
	Schema   int64     `json:"schema"` // version of the schema
	Revision int64     `json:"revision"`
	Created  time.Time `json:"created"`
	// Columns names, per table, what the arrays of its rows hold.
	Columns map[string][]string `json:"columns"`
}

type backupEnd struct {
	Rows   map[string]int `json:"rows"`   // per table
	Chunks int            `json:"chunks"` // entries under chunks/
	SHA256 string         `json:"sha256"` // of name and content of all entries before, see digest
}

// A savedTable is a table that backups hold row by row; chunks are apart. The
// change log is not saved: who followed it must list again after a restore.
type savedTable struct {
	name    string
	columns []string
	types   string // per column: i integer, t text, b bytes
	order   string // columns that make the order of rows the same each time
	serial  string // column that numbers rows by itself, or ""
}

// savedTables in an order in which rows find what they refer to.
var savedTables = []savedTable{
	{"meta", []string{"name", "value"}, "tb", "name", ""},
	{"documents", []string{"seq", "kind", "account", "region", "parent", "id", "revision", "created", "body"}, "itttttiib", "seq", "seq"},
	{"names", []string{"scope", "name", "doc"}, "tti", "scope, name", ""},
	{"data_keys", []string{"id", "purpose", "sealing_key", "wrapped", "active"}, "tttbi", "id", ""},
	{"secrets", []string{"doc", "name", "data_key", "sealed"}, "ittb", "doc, name", ""},
	{"blobs", []string{"id", "size", "chunk_size", "refs", "idle_since"}, "iiiii", "id", "id"},
	{"attachments", []string{"doc", "name", "blob", "meta"}, "itib", "doc, name", ""},
	{"object_versions", []string{"seq", "bucket", "name", "version", "latest", "marker", "size", "etag", "created", "meta"}, "iibtiiitib", "seq", "seq"},
	{"object_parts", []string{"object", "n", "blob"}, "iii", "object, n", ""},
	{"usage", []string{"quota", "node", "day", "used", "start", "taken", "extra", "quantity", "extra_at"}, "ttiiiiiii", "quota, day, node", ""},
	{"events", []string{"id", "holder", "held_until", "body"}, "ttib", "id", ""},
}

// BackupOptions say what a backup holds besides the data.
type BackupOptions struct {
	// SealingKeys adds the sealing keys, with which whoever has the backup can read
	// all secrets. Without them, restoring needs the key file.
	SealingKeys bool
}

// Backup writes a consistent copy of the whole store while it is in use.
func (s *Store) Backup(ctx context.Context, w io.Writer, opts BackupOptions) error {
	err := s.View(ctx, func(tx *Tx) error {
		b := &backupWriter{tar: tar.NewWriter(w), digest: sha256.New(), now: tx.now, end: backupEnd{Rows: map[string]int{}}}
		if err := b.head(tx); err != nil {
			return err
		}
		if opts.SealingKeys {
			held, err := s.keys.file.read()
			if err != nil {
				return err
			}
			if err := b.entry(keysEntry, formatKeys(held)); err != nil {
				return err
			}
		}
		for _, t := range savedTables {
			if err := b.table(tx, t); err != nil {
				return err
			}
		}
		if err := b.chunks(tx); err != nil {
			return err
		}
		return b.finish()
	})
	if err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	return nil
}

// A backupWriter writes the entries of one backup.
type backupWriter struct {
	tar    *tar.Writer
	digest hash.Hash
	now    time.Time
	end    backupEnd
}

func (b *backupWriter) entry(name string, content []byte) error {
	digest(b.digest, name, content)
	err := b.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: b.now.Truncate(time.Second)})
	if err != nil {
		return err
	}
	_, err = b.tar.Write(content)
	return err
}

// digest adds an entry to the digest of a backup; lengths keep neighbours apart.
func digest(h hash.Hash, name string, content []byte) {
	fmt.Fprintf(h, "%d %d %s", len(name), len(content), name)
	h.Write(content)
}

func (b *backupWriter) head(tx *Tx) error {
	head := backupHead{Format: backupFormat, Revision: tx.revision, Created: tx.now, Columns: map[string][]string{}}
	for _, t := range savedTables {
		head.Columns[t.name] = t.columns
	}
	if err := tx.one([]any{&head.Schema}, schemaVersion); err != nil {
		return err
	}
	content, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	return b.entry(headEntry, content)
}

// schemaVersion asks for the newest migration that was applied.
const schemaVersion = `SELECT max(version_id) FROM schema_versions`

func (b *backupWriter) table(tx *Tx, t savedTable) error {
	var lines bytes.Buffer
	inEntry, entries := 0, 0
	flush := func() error {
		if inEntry == 0 {
			return nil
		}
		entries++
		err := b.entry(fmt.Sprintf("%s/%06d.jsonl", t.name, entries), lines.Bytes())
		lines.Reset()
		inEntry = 0
		return err
	}
	err := tx.query(func(scan func(...any) error) error {
		row := t.row()
		if err := scan(row...); err != nil {
			return err
		}
		line, err := json.Marshal(values(row))
		if err != nil {
			return err
		}
		lines.Write(line)
		lines.WriteByte('\n')
		b.end.Rows[t.name]++
		if inEntry++; inEntry == rowsPerEntry || lines.Len() >= bytesPerEntry {
			return flush()
		}
		return nil
	}, t.selectAll())
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	return flush()
}

// row returns pointers that a row scans into and JSON is read into and written from.
func (t savedTable) row() []any {
	row := make([]any, len(t.columns))
	for i, typ := range t.types {
		switch typ {
		case 'i':
			row[i] = new(int64)
		case 't':
			row[i] = new(string)
		case 'b':
			row[i] = new([]byte)
		}
	}
	return row
}

func (b *backupWriter) chunks(tx *Tx) error {
	return tx.query(func(scan func(...any) error) error {
		var blob, n int64
		var data []byte
		if err := scan(&blob, &n, &data); err != nil {
			return err
		}
		b.end.Chunks++
		return b.entry(chunkPrefix+strconv.FormatInt(blob, 10)+"/"+strconv.FormatInt(n, 10), data)
	}, `SELECT blob, n, data FROM chunks ORDER BY blob, n`)
}

func (b *backupWriter) finish() error {
	b.end.SHA256 = hex.EncodeToString(b.digest.Sum(nil))
	content, err := json.MarshalIndent(b.end, "", "  ")
	if err != nil {
		return err
	}
	if err := b.entry(endEntry, content); err != nil {
		return err
	}
	return b.tar.Close()
}
