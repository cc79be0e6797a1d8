package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ChunkSize is how much of a blob is written and read at a time, in bytes. A
// blob being written or read takes about that much memory.
const ChunkSize = 1 << 20

// BlobGrace is how long a blob that nobody uses is kept. It bounds how slow a
// writer may be between two chunks, and how long a reader may go on reading what
// was deleted meanwhile.
const BlobGrace = time.Hour

// A Blob is a finished content that can be attached to documents and objects. It
// never changes. Until something refers to it, it lasts for BlobGrace only.
type Blob struct {
	Size int64 // in bytes

	id     int64
	inline []byte // the content of a blob with one chunk, not yet written: id is zero
}

// A BlobWriter writes a blob, in bounded memory and outside any transaction, so
// that a slow sender keeps nobody waiting. Call Finish, or Discard when the
// content is not wanted. It is not safe for concurrent use.
type BlobWriter struct {
	store  *Store
	ctx    context.Context // of NewBlob; io.Writer has no other way
	buf    []byte          // less than or exactly a chunk, not yet written
	id     int64           // zero until the first chunk is written
	chunks int
	size   int64
}

// NewBlob begins a blob. ctx bounds all of its writing.
func (s *Store) NewBlob(ctx context.Context) *BlobWriter {
	return &BlobWriter{store: s, ctx: ctx}
}

// Write implements io.Writer. It fails when the store cannot keep the content.
func (w *BlobWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if len(w.buf) == ChunkSize {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
		k := min(len(p), ChunkSize-len(w.buf))
		w.buf = append(w.buf, p[:k]...)
		p = p[k:]
		n += k
		w.size += int64(k)
	}
	return n, nil
}

// Size returns how many bytes were written so far.
func (w *BlobWriter) Size() int64 { return w.size }

// flush commits the buffer as the next chunk.
func (w *BlobWriter) flush() error {
	id := w.id
	err := w.store.append(w.ctx, func(tx *Tx) (err error) {
		if id, err = tx.writeChunk(w.id, w.chunks, w.buf, w.size); err != nil {
			return fmt.Errorf("store: write blob: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.id, w.buf = id, w.buf[:0]
	w.chunks++
	return nil
}

// Finish completes the blob. A content of one chunk is not written yet: it goes
// with the transaction that attaches the blob.
func (w *BlobWriter) Finish() (Blob, error) {
	if w.id == 0 {
		return Blob{Size: w.size, inline: w.buf}, nil
	}
	if len(w.buf) > 0 {
		if err := w.flush(); err != nil {
			return Blob{}, err
		}
	}
	return Blob{Size: w.size, id: w.id}, nil
}

// Discard gives the blob up; it may be called at any time, also after Finish if
// the blob was not attached. What was written is removed by the next Maintain.
func (w *BlobWriter) Discard() {
	if w.id == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), 10*time.Second)
	defer cancel()
	err := w.store.append(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE blobs SET refs = -1 WHERE id = $1 AND refs = 0`, w.id)
		return err
	})
	if err != nil { // it goes when its grace is over
		w.store.log.Debug("blob could not be discarded at once", "blob", w.id, "error", err)
	}
}

// append runs a transaction that writes nothing that others refer to.
func (s *Store) append(ctx context.Context, fn func(*Tx) error) error {
	return s.again(ctx, func() error { return s.attempt(ctx, modeAppend, fn, nil) })
}

// writeChunk writes chunk n of a blob, which is made when id is zero. size is
// that of the blob up to and with this chunk.
func (tx *Tx) writeChunk(id int64, n int, data []byte, size int64) (int64, error) {
	if id == 0 {
		err := tx.one([]any{&id}, `INSERT INTO blobs (size, chunk_size, refs, idle_since) VALUES ($1, $2, 0, $3) RETURNING id`,
			size, ChunkSize, tx.now.UnixNano())
		if err != nil {
			return 0, err
		}
	} else {
		found, err := tx.exec(`UPDATE blobs SET size = $2, idle_since = $3 WHERE id = $1 AND refs = 0`, id, size, tx.now.UnixNano())
		if err != nil {
			return 0, err
		}
		if found == 0 {
			return 0, fmt.Errorf("blob %d was given up: %w", id, ErrNotFound)
		}
	}
	_, err := tx.exec(`INSERT INTO chunks (blob, n, data) VALUES ($1, $2, $3)`, id, n, notNil(data))
	return id, err
}

// retain counts one more user of a blob, writes it if it was not written yet, and
// returns its id.
func (tx *Tx) retain(b Blob) (id int64, err error) {
	id = b.id
	if id == 0 {
		if id, err = tx.writeChunk(0, 0, b.inline, b.Size); err != nil {
			return 0, err
		}
	}
	n, err := tx.exec(`UPDATE blobs SET refs = refs + 1 WHERE id = $1 AND refs >= 0`, id)
	if err == nil && n == 0 {
		err = fmt.Errorf("store: blob %d: %w", id, ErrNotFound)
	}
	return id, err
}

// release counts one user less for each use of a blob that the query finds.
func (tx *Tx) release(uses string, args ...any) error {
	counts := make(map[int64]int)
	err := tx.query(func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		counts[id]++
		return err
	}, uses, args...)
	if err != nil {
		return err
	}
	for id, n := range counts {
		if _, err := tx.exec(`UPDATE blobs SET refs = refs - $2, idle_since = $3 WHERE id = $1`,
			id, n, tx.now.UnixNano()); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes blobs that nobody has used for the grace time. It works in small
// steps, so that writers hardly wait.
func (s *Store) sweep(ctx context.Context) error {
	err := s.append(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE blobs SET refs = -1 WHERE refs = 0 AND idle_since < $1`, tx.now.Add(-BlobGrace).UnixNano())
		return err
	})
	for more := true; err == nil && more; {
		err = s.append(ctx, func(tx *Tx) (err error) {
			more, err = tx.removeSome()
			return err
		})
	}
	return err
}

// removeSome removes a few chunks of one blob that is to go, or the blob itself
// after the last, and reports whether it found any.
func (tx *Tx) removeSome() (more bool, err error) {
	var id int64
	err = tx.one([]any{&id}, `SELECT id FROM blobs WHERE refs = -1 LIMIT 1`)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	const few = 16
	n, err := tx.exec(`DELETE FROM chunks WHERE blob = $1 AND n IN (SELECT n FROM chunks WHERE blob = $1 ORDER BY n LIMIT $2)`, id, few)
	if err != nil || n == few {
		return true, err
	}
	_, err = tx.exec(`DELETE FROM blobs WHERE id = $1`, id)
	return true, err
}
