package store_test

import (
	"fmt"
	"io"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/pgtest"
)

// eachStore runs a benchmark on both databases, with 10,000 documents of 400 bytes.
func eachStore(b *testing.B, run func(b *testing.B, s *store.Store)) {
	for _, c := range []struct {
		name string
		url  func() string
	}{
		{"SQLite", func() string { return "" }},
		{"PostgreSQL", func() string { return pgtest.Database(b) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := store.Open(b.Context(), store.Options{Dir: b.TempDir(), URL: c.url()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Update(b.Context(), func(tx *store.Tx) error {
				for i := range 10_000 {
					if err := tx.Put(benchKey(i), make([]byte, 400)); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				b.Fatal(err)
			}
			if err := store.Analyze(b.Context(), s); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			run(b, s)
		})
	}
}

var benchScope = store.Scope{Account: "000000000000", Region: "us-east-1", Parent: "a1b2c3d4e5"}

func benchKey(i int) store.Key { return benchScope.Key("resource", fmt.Sprintf("%010d", i)) }

func BenchmarkGet(b *testing.B) {
	eachStore(b, func(b *testing.B, s *store.Store) {
		for i := 0; b.Loop(); i++ {
			if err := s.View(b.Context(), func(tx *store.Tx) error {
				_, err := tx.Get(benchKey(i % 10_000))
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPut includes the commit reaching the disk, for SQLite: the PostgreSQL of
// tests runs without fsync.
func BenchmarkPut(b *testing.B) {
	eachStore(b, func(b *testing.B, s *store.Store) {
		body := make([]byte, 400)
		for i := 0; b.Loop(); i++ {
			if _, err := s.Update(b.Context(), func(tx *store.Tx) error {
				return tx.Put(benchKey(i%10_000), body)
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkList reads a page of 100 from the middle.
func BenchmarkList(b *testing.B) {
	eachStore(b, func(b *testing.B, s *store.Store) {
		page := store.Page{Order: store.ByID, After: "i" + benchKey(5000).ID, Limit: 100}
		for b.Loop() {
			if err := s.View(b.Context(), func(tx *store.Tx) error {
				docs, _, err := tx.List("resource", benchScope, page)
				if len(docs) != 100 {
					b.Errorf("page of %d", len(docs))
				}
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkBlob writes and reads 64 MiB.
func BenchmarkBlob(b *testing.B) {
	const size = 64 << 20
	eachStore(b, func(b *testing.B, s *store.Store) {
		piece := make([]byte, 32<<10)
		b.Run("write", func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				w := s.NewBlob(b.Context())
				for range size / len(piece) {
					if _, err := w.Write(piece); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := w.Finish(); err != nil {
					b.Fatal(err)
				}
				w.Discard()
			}
		})
		w := s.NewBlob(b.Context())
		if _, err := w.Write(make([]byte, size)); err != nil {
			b.Fatal(err)
		}
		blob, err := w.Finish()
		if err != nil {
			b.Fatal(err)
		}
		b.Run("read", func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				if n, err := s.OpenBlobs(b.Context(), blob).WriteTo(io.Discard); n != size || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	})
}
