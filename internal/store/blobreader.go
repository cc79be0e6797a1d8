package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sort"
)

// A BlobReader reads blobs one after another as one content. It reads a chunk at
// a time, each in a View of its own, so a slow receiver holds no transaction. It
// implements io.Reader, io.Seeker and io.WriterTo and is not safe for concurrent
// use.
type BlobReader struct {
	store  *Store
	ctx    context.Context // of OpenBlobs; io.Reader has no other way
	blobs  []Blob
	starts []int64 // offset of each blob within the content
	size   int64
	offset int64

	chunk []byte // of blobs[part], beginning at offset from of the content
	from  int64
}

// OpenBlobs returns a reader of the blobs' contents. ctx bounds all of its reading.
func (s *Store) OpenBlobs(ctx context.Context, blobs ...Blob) *BlobReader {
	r := &BlobReader{store: s, ctx: ctx, blobs: blobs, starts: make([]int64, len(blobs))}
	for i, b := range blobs {
		r.starts[i] = r.size
		r.size += b.Size
	}
	return r
}

// Size returns the length of the whole content in bytes.
func (r *BlobReader) Size() int64 { return r.size }

// Seek implements io.Seeker. Seeking beyond the end is allowed; reading there
// gives io.EOF.
func (r *BlobReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return r.offset, errors.New("store: seek before the beginning of a blob")
	}
	r.offset = offset
	return offset, nil
}

// Read implements io.Reader. The error matches ErrNotFound when the content was
// deleted more than BlobGrace ago.
func (r *BlobReader) Read(p []byte) (int, error) {
	if r.offset >= r.size {
		return 0, io.EOF
	}
	if err := r.load(); err != nil {
		return 0, err
	}
	n := copy(p, r.chunk[r.offset-r.from:])
	r.offset += int64(n)
	return n, nil
}

// WriteTo implements io.WriterTo: chunks go out as they were stored.
func (r *BlobReader) WriteTo(w io.Writer) (total int64, err error) {
	for r.offset < r.size {
		if err := r.load(); err != nil {
			return total, err
		}
		n, err := w.Write(r.chunk[r.offset-r.from:])
		total += int64(n)
		r.offset += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// load makes the chunk that holds the current offset present. Blobs without
// content hold none.
func (r *BlobReader) load() error {
	if r.offset >= r.from && r.offset < r.from+int64(len(r.chunk)) {
		return nil
	}
	// The last blob that begins at or before the offset.
	part := sort.Search(len(r.starts), func(i int) bool { return r.starts[i] > r.offset }) - 1
	blob, start := r.blobs[part], r.starts[part]
	if blob.id == 0 {
		r.chunk, r.from = blob.inline, start
		return nil
	}
	var size int64
	n := int64(0)
	err := r.store.View(r.ctx, func(tx *Tx) error {
		if err := tx.one([]any{&size}, `SELECT chunk_size FROM blobs WHERE id = $1`, blob.id); err != nil {
			return err
		}
		n = (r.offset - start) / size
		return tx.one([]any{&r.chunk}, `SELECT data FROM chunks WHERE blob = $1 AND n = $2`, blob.id, n)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("store: blob %d was deleted: %w", blob.id, ErrNotFound)
	}
	if err != nil {
		r.chunk = nil
		return err
	}
	r.from = start + n*size
	if r.offset-r.from >= int64(len(r.chunk)) {
		r.chunk = nil
		return fmt.Errorf("store: blob %d: chunk %d is too short: %w", blob.id, n, ErrCorrupt)
	}
	return nil
}

// ReadBlobs reads the contents of blobs within the transaction, which sees what it
// attached itself. It is for contents that fit in memory.
func (tx *Tx) ReadBlobs(blobs ...Blob) ([]byte, error) {
	var body []byte
	for _, b := range blobs {
		if b.id == 0 {
			body = append(body, b.inline...)
			continue
		}
		before := len(body)
		err := tx.query(func(scan func(...any) error) error {
			var chunk []byte
			err := scan(&chunk)
			body = append(body, chunk...)
			return err
		}, `SELECT data FROM chunks WHERE blob = $1 ORDER BY n`, b.id)
		if err != nil {
			return nil, err
		}
		if got := int64(len(body) - before); got != b.Size {
			return nil, fmt.Errorf("store: blob %d has %d bytes, want %d: %w", b.id, got, b.Size, ErrNotFound)
		}
	}
	return body, nil
}
