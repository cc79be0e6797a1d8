package store

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"
)

// seedBackup writes a small backup without a database, which would slow fuzzing down.
func seedBackup(f *testing.F, keys bool) []byte {
	var out bytes.Buffer
	b := &backupWriter{tar: tar.NewWriter(&out), digest: sha256.New(), now: time.Unix(0, 0), end: backupEnd{Rows: map[string]int{"meta": 2}, Chunks: 1}}
	head, err := json.Marshal(backupHead{Format: backupFormat, Schema: 1, Columns: map[string][]string{"meta": {"name", "value"}}})
	if err != nil {
		f.Fatal(err)
	}
	must := func(err error) {
		if err != nil {
			f.Fatal(err)
		}
	}
	must(b.entry(headEntry, head))
	if keys {
		must(b.entry(keysEntry, formatKeys([]sealingKey{newSealingKey()})))
	}
	must(b.entry("meta/000001.jsonl", []byte("[\"a\",\"AQI=\"]\n[\"b\",\"\"]\n")))
	must(b.entry(chunkPrefix+"1/0", []byte("content")))
	must(b.finish())
	return out.Bytes()
}

// FuzzVerifyBackup: whatever bytes come, a backup that verifies says the same
// again, and cut before its end it does not verify.
func FuzzVerifyBackup(f *testing.F) {
	f.Add(seedBackup(f, false))
	f.Add(seedBackup(f, true))
	for _, seed := range [][]byte{seedBackup(f, false), seedBackup(f, true)} {
		if _, err := VerifyBackup(bytes.NewReader(seed)); err != nil {
			f.Fatalf("seed: %v", err)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := VerifyBackup(bytes.NewReader(b))
		if err != nil {
			return
		}
		if again, err := VerifyBackup(bytes.NewReader(b)); again != info || err != nil {
			t.Errorf("first %+v, then %+v (%v)", info, again, err)
		}
		end := bytes.LastIndex(b, []byte(endEntry))
		if _, err := VerifyBackup(bytes.NewReader(b[:max(end, 0)])); err == nil {
			t.Error("verifies without its end")
		}
	})
}

// FuzzKeyFile: what parses prints and parses to the same.
func FuzzKeyFile(f *testing.F) {
	f.Add(formatKeys([]sealingKey{newSealingKey(), newSealingKey()}))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeys(b)
		if err != nil {
			return
		}
		again, err := parseKeys(formatKeys(keys))
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%d keys, then %d (%v)", len(keys), len(again), err)
		}
		for i := range keys {
			if keys[i] != again[i] {
				t.Errorf("key %d changed", i)
			}
		}
	})
}
