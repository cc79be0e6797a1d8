package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/store"
	"gatehouse/internal/store/pgtest"
)

// An era fills a schema of one version with what its program wrote, and says what
// must be there after the upgrade. A new migration adds the era before it.
var eras = []struct {
	version int64
	fill    []string // $1 is a body where it occurs
	verify  func(t *testing.T, tx *store.Tx) error
}{
	{
		version: 1,
		fill: []string{
			`INSERT INTO documents (seq, kind, account, region, parent, id, revision, created, body)
				VALUES (7, 'restapi', '000000000000', 'us-east-1', '', 'a1', 3, 1000000000, $1)`,
			`INSERT INTO names (scope, name, doc) VALUES ('domains', 'x.test', 7)`,
			`INSERT INTO changes (revision, n, kind, account, region, parent, id, deleted)
				VALUES (3, 0, 'restapi', '000000000000', 'us-east-1', '', 'a1', 0)`,
			`INSERT INTO meta (name, value) VALUES ('dev', $1)`,
			`UPDATE revision SET value = 3`,
		},
		verify: func(t *testing.T, tx *store.Tx) error {
			key := store.Key{Account: "000000000000", Region: "us-east-1", Kind: "restapi", ID: "a1"}
			doc, err := tx.Get(key)
			if err != nil {
				return err
			}
			if diff := cmp.Diff("body", string(doc.Body)); diff != "" || doc.Revision != 3 || doc.Created.Unix() != 1 || tx.Revision() != 3 {
				t.Errorf("document is %+v at %d", doc, tx.Revision())
			}
			if holder, err := tx.Holder("domains", "x.test"); holder != key || err != nil {
				t.Errorf("name is held by %s, %v", holder, err)
			}
			if fact, err := tx.Meta("dev"); string(fact) != "body" || err != nil {
				t.Errorf("fact is %q, %v", fact, err)
			}
			return nil
		},
	},
	{
		version: 2,
		fill: []string{
			`INSERT INTO documents (seq, kind, account, region, parent, id, revision, created, body)
				VALUES (7, 'bucket', '000000000000', 'us-east-1', '', 'b1', 3, 1000000000, $1)`,
			`INSERT INTO object_versions (seq, bucket, name, version, latest, marker, size, etag, created, meta)
				VALUES (1, 7, $1, 'v1', 1, 1, 0, '', 1000000000, $1)`,
			`UPDATE revision SET value = 3`,
		},
		verify: func(t *testing.T, tx *store.Tx) error {
			bucket := store.Key{Account: "000000000000", Region: "us-east-1", Kind: "bucket", ID: "b1"}
			v, err := tx.ObjectVersion(bucket, "body", "v1")
			if err == nil && (v.Version != "v1" || tx.Revision() != 3) {
				t.Errorf("object version is %+v at %d", v, tx.Revision())
			}
			return err
		},
	},
	{
		version: 3,
		fill: []string{
			`INSERT INTO documents (seq, kind, account, region, parent, id, revision, created, body)
				VALUES (7, 'usageplankey', '000000000000', 'us-east-1', 'plan', 'key', 3, 1000000000, $1)`,
			`UPDATE revision SET value = 3`,
		},
		verify: func(t *testing.T, tx *store.Tx) error {
			parents, err := tx.Parents("usageplankey", store.Scope{Account: "000000000000", Region: "us-east-1"}, "key")
			if diff := cmp.Diff([]string{"plan"}, parents); diff != "" {
				t.Errorf("parents (-want +got):\n%s", diff)
			}
			return err
		},
	},
	{
		version: 4,
		fill: []string{
			`INSERT INTO usage (quota, node, day, used, start, taken, extra, quantity, extra_at) VALUES ('q', 'n', 20000, 3, 5, 7, -1, 10, 9)`,
			`UPDATE revision SET value = 3`,
		},
		verify: func(t *testing.T, tx *store.Tx) error {
			if tx.Revision() != 3 {
				t.Errorf("revision %d, want 3", tx.Revision())
			}
			return nil
		},
	},
}

func TestUpgrade(t *testing.T) {
	for _, c := range []struct {
		name  string
		place func(t *testing.T) store.Options
	}{
		{"SQLite", func(t *testing.T) store.Options { return store.Options{Dir: t.TempDir()} }},
		{"PostgreSQL", func(t *testing.T) store.Options {
			return store.Options{Dir: t.TempDir(), URL: pgtest.Database(t)}
		}},
	} {
		for _, era := range eras {
			t.Run(fmt.Sprintf("%s from version %d", c.name, era.version), func(t *testing.T) {
				opts := c.place(t)
				raw, err := store.OpenRaw(t.Context(), opts, era.version)
				if err != nil {
					t.Fatal(err)
				}
				for _, statement := range era.fill {
					var args []any
					if strings.Contains(statement, "$1") {
						args = []any{[]byte("body")}
					}
					if _, err := raw.DB.ExecContext(t.Context(), statement, args...); err != nil {
						t.Fatalf("%s: %v", statement, err)
					}
				}
				if err := raw.DB.Close(); err != nil {
					t.Fatal(err)
				}
				s, err := store.Open(t.Context(), opts)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if err := s.View(t.Context(), func(tx *store.Tx) error { return era.verify(t, tx) }); err != nil {
					t.Error(err)
				}
			})
		}
		t.Run(c.name+" from a newer version", func(t *testing.T) {
			opts := c.place(t)
			raw, err := store.OpenRaw(t.Context(), opts, 1)
			if err != nil {
				t.Fatal(err)
			}
			_, err = raw.DB.ExecContext(t.Context(), `INSERT INTO schema_versions (version_id, is_applied) VALUES (9999, true)`)
			if err := errors.Join(err, raw.DB.Close()); err != nil {
				t.Fatal(err)
			}
			err = openError(t, opts)
			if !errors.Is(err, store.ErrNewer) {
				t.Errorf("open: %v, want ErrNewer", err)
			}
			says(t, err, "9999")
			if _, err := os.Stat(filepath.Join(opts.Dir, store.SealingKeyFile)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a sealing key was made: %v", err)
			}
		})
	}
}

// Every version before the latest has an era, in both dialects the same versions.
func TestErasAreComplete(t *testing.T) {
	names := map[string][]string{}
	for _, dialect := range []string{"sqlite", "postgres"} {
		files, err := filepath.Glob(filepath.Join("migrations", dialect, "*.sql"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			names[dialect] = append(names[dialect], filepath.Base(f))
		}
	}
	if diff := cmp.Diff(names["sqlite"], names["postgres"]); diff != "" {
		t.Errorf("migrations of SQLite and PostgreSQL differ (-sqlite +postgres):\n%s", diff)
	}
	for i, name := range names["sqlite"][:len(names["sqlite"])-1] {
		if i >= len(eras) || name[:5] != fmt.Sprintf("%05d", eras[i].version) {
			t.Errorf("no era for %s: say what its program wrote", name)
		}
	}
}
