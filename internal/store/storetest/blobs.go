package storetest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/store"
)

// content returns n reproducible bytes.
func content(n int, seed uint64) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(n)}).Read(b)
	return b
}

// write makes a blob, in pieces that fit no chunk.
func write(t *testing.T, s *store.Store, body []byte) store.Blob {
	t.Helper()
	w := s.NewBlob(t.Context())
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(body)}, make([]byte, 100_003)); err != nil {
		t.Fatal(err)
	}
	blob, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if blob.Size != int64(len(body)) {
		t.Fatalf("blob has %d bytes, want %d", blob.Size, len(body))
	}
	return blob
}

func attach(t *testing.T, s *store.Store, k store.Key, name string, body []byte) {
	t.Helper()
	blob := write(t, s, body)
	update(t, s, func(tx *store.Tx) error {
		return tx.Attach(k, store.Attachment{Name: name, Meta: []byte("about " + name), Blob: blob})
	})
}

func attachment(t *testing.T, s *store.Store, k store.Key, name string) (a store.Attachment) {
	t.Helper()
	view(t, s, func(tx *store.Tx) (err error) {
		a, err = tx.Attachment(k, name)
		return err
	})
	return a
}

func testBlobs(t *testing.T, place Maker) {
	sizes := []int{0, 1, store.ChunkSize - 1, store.ChunkSize, store.ChunkSize + 1, 3*store.ChunkSize + 12345}

	t.Run("contents of all sizes come back", func(t *testing.T) {
		s := open(t, place)
		put(t, s, api("a"), "")
		for i, size := range sizes {
			body := content(size, uint64(i))
			attach(t, s, api("a"), "x", body)
			a := attachment(t, s, api("a"), "x")
			got, err := io.ReadAll(s.OpenBlobs(t.Context(), a.Blob))
			if err != nil || !bytes.Equal(got, body) || string(a.Meta) != "about x" {
				t.Errorf("size %d: %d bytes, %v, meta %q", size, len(got), err, a.Meta)
			}
		}
	})

	t.Run("several blobs read as one, from anywhere", func(t *testing.T) {
		s := open(t, place)
		put(t, s, api("a"), "")
		var whole []byte
		var blobs []store.Blob
		for i, size := range []int{5, 0, store.ChunkSize + 7, 0, 1, 2 * store.ChunkSize, 0} {
			body := content(size, uint64(i))
			whole = append(whole, body...)
			name := string(rune('a' + i))
			attach(t, s, api("a"), name, body)
			blobs = append(blobs, attachment(t, s, api("a"), name).Blob)
		}
		r := s.OpenBlobs(t.Context(), blobs...)
		if r.Size() != int64(len(whole)) {
			t.Errorf("size %d, want %d", r.Size(), len(whole))
		}
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.ReadBlobs(blobs...)
			if !bytes.Equal(got, whole) {
				t.Errorf("within a transaction: %d bytes, want %d", len(got), len(whole))
			}
			return err
		})
		if err := iotest.TestReader(struct {
			io.Reader
			io.Seeker
		}{r, r}, whole); err != nil {
			t.Error(err)
		}
		for _, offset := range []int64{0, 4, 5, 6, store.ChunkSize + 4, store.ChunkSize + 12, r.Size() - 1, r.Size()} {
			if _, err := r.Seek(offset, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if _, err := r.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), whole[offset:]) {
				t.Errorf("from %d: %d bytes, %v; want %d", offset, got.Len(), err, len(whole[offset:]))
			}
		}
	})

	t.Run("attachments are listed, replaced, detached", func(t *testing.T) {
		s := open(t, place)
		put(t, s, api("a"), "")
		for _, name := range []string{"c", "a", "b", "a"} {
			attach(t, s, api("a"), name, []byte(name))
		}
		names := func(after string, limit int) (names []string) {
			view(t, s, func(tx *store.Tx) error {
				found, err := tx.Attachments(api("a"), after, limit)
				for _, a := range found {
					names = append(names, a.Name)
				}
				return err
			})
			return names
		}
		if diff := cmp.Diff([]string{"a", "b"}, names("", 2)); diff != "" {
			t.Errorf("first two (-want +got):\n%s", diff)
		}
		update(t, s, func(tx *store.Tx) error { return tx.Detach(api("a"), "b") })
		if diff := cmp.Diff([]string{"c"}, names("a", 2)); diff != "" {
			t.Errorf("after a (-want +got):\n%s", diff)
		}
		update(t, s, func(tx *store.Tx) error {
			if err := tx.Detach(api("a"), "b"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("second detach: %v, want ErrNotFound", err)
			}
			return nil
		})
	})

	t.Run("what nobody uses goes after its grace, what somebody uses stays", func(t *testing.T) {
		opts := place(t)
		now := time.Now()
		opts.Clock = func() time.Time { return now }
		s := openAt(t, opts)
		body := content(20*store.ChunkSize, 1)
		put(t, s, api("a"), "")
		attach(t, s, api("a"), "kept", body)
		attach(t, s, api("a"), "detached", body)
		detached := attachment(t, s, api("a"), "detached").Blob
		update(t, s, func(tx *store.Tx) error { return tx.Detach(api("a"), "detached") })
		orphan := write(t, s, body)
		discarded := s.NewBlob(t.Context())
		if _, err := discarded.Write(body); err != nil {
			t.Fatal(err)
		}
		given, err := discarded.Finish()
		if err != nil {
			t.Fatal(err)
		}
		discarded.Discard()

		readable := func(want bool, name string, b store.Blob) {
			t.Helper()
			got, err := io.ReadAll(s.OpenBlobs(t.Context(), b))
			if want && !bytes.Equal(got, body) || !want && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %d bytes, %v; want readable: %v", name, len(got), err, want)
			}
		}
		maintain := func() {
			t.Helper()
			if err := s.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		maintain()
		readable(true, "detached, in its grace", detached)
		readable(true, "orphan, in its grace", orphan)
		readable(false, "discarded", given)
		now = now.Add(store.BlobGrace + time.Second)
		maintain()
		readable(false, "detached", detached)
		readable(false, "orphan", orphan)
		readable(true, "kept", attachment(t, s, api("a"), "kept").Blob)
		if _, err := s.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Attach(api("a"), store.Attachment{Name: "late", Blob: orphan})
		}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("attaching what is gone: %v, want ErrNotFound", err)
		}
		update(t, s, func(tx *store.Tx) error { return tx.Delete(api("a")) })
	})

	t.Run("an undone update leaves the blob to try again", func(t *testing.T) {
		s := open(t, place)
		put(t, s, api("a"), "")
		for _, size := range []int{10, store.ChunkSize + 1} {
			body := content(size, 3)
			blob := write(t, s, body)
			undone := errors.New("undone")
			if _, err := s.Update(t.Context(), func(tx *store.Tx) error {
				return errors.Join(tx.Attach(api("a"), store.Attachment{Name: "x", Blob: blob}), undone)
			}); !errors.Is(err, undone) {
				t.Fatal(err)
			}
			update(t, s, func(tx *store.Tx) error { return tx.Attach(api("a"), store.Attachment{Name: "x", Blob: blob}) })
			got, err := io.ReadAll(s.OpenBlobs(t.Context(), attachment(t, s, api("a"), "x").Blob))
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("size %d: %d bytes, %v", size, len(got), err)
			}
		}
	})
}
