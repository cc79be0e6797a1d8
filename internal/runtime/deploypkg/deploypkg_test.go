package deploypkg_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/runtime/deploypkg"
)

type zipEntry struct {
	name, content string
	mode          fs.FileMode
}

func zipOf(t testing.TB, entries ...zipEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	n, err := deploypkg.Unpack(zipOf(t,
		zipEntry{"bootstrap", "run", 0o755}, zipEntry{"lib/a.txt", "a", 0o644}, zipEntry{"plain", "p", 0},
		zipEntry{"empty/", "", fs.ModeDir | 0o755}, zipEntry{"link", "lib/a.txt", fs.ModeSymlink | 0o777}, zipEntry{`windows\file`, "w", 0o644},
	), dir, 100)
	if err != nil || n != 6 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	for name, want := range map[string]string{"bootstrap": "run", "lib/a.txt": "a", "plain": "p", "link": "a", "windows/file": "w"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	for name, want := range map[string]fs.FileMode{"bootstrap": 0o755, "lib": fs.ModeDir | 0o755, "plain": 0o644, "empty": fs.ModeDir | 0o755} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want mode %v", name, info, err, want)
		}
	}
	// A later layer goes over an earlier one.
	if _, err := deploypkg.Unpack(zipOf(t, zipEntry{"lib/a.txt", "second", 0o600}), dir, 100); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "lib/a.txt")); string(b) != "second" {
		t.Errorf("a.txt is %q after the second package", b)
	}
}

func TestUnpackRefuses(t *testing.T) {
	good := zipOf(t, zipEntry{"a", strings.Repeat("x", 1000), 0o644})
	broken := bytes.Clone(good)
	broken[40] ^= 0xff
	for name, archive := range map[string][]byte{
		"no zip":                  []byte("no zip"),
		"nothing":                 nil,
		"content that is broken":  broken,
		"a name that leads out":   zipOf(t, zipEntry{"../evil", "x", 0o644}),
		"an absolute name":        zipOf(t, zipEntry{"/etc/evil", "x", 0o644}),
		"a name with backslashes": zipOf(t, zipEntry{`..\evil`, "x", 0o644}),
		"a link that leads out":   zipOf(t, zipEntry{"l", "../..", fs.ModeSymlink | 0o777}),
		"an absolute link":        zipOf(t, zipEntry{"l", "/etc", fs.ModeSymlink | 0o777}),
		"a device":                zipOf(t, zipEntry{"d", "", fs.ModeDevice | 0o644}),
	} {
		if _, err := deploypkg.Unpack(archive, t.TempDir(), 1<<20); !errors.Is(err, deploypkg.ErrNotZip) {
			t.Errorf("%s: %v, want ErrNotZip", name, err)
		}
	}
	bomb := zipOf(t, zipEntry{"zeros", strings.Repeat("\x00", 10<<20), 0o644})
	if n, err := deploypkg.Unpack(bomb, t.TempDir(), 1<<20); !errors.Is(err, deploypkg.ErrUnpackedTooLarge) || n > 1<<20+1 {
		t.Errorf("a bomb: %d bytes written, %v", n, err)
	}
}

// Whatever a package has, nothing appears outside of its folder and no more than allowed.
func FuzzUnpack(f *testing.F) {
	f.Add(zipOf(f, zipEntry{"a/b", "x", 0o644}))
	f.Add(zipOf(f, zipEntry{"l", "a", fs.ModeSymlink | 0o777}, zipEntry{"l/x", "y", 0o644}))
	f.Add(zipOf(f, zipEntry{"../x", "y", 0o644}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "in")
		n, _ := deploypkg.Unpack(archive, dir, 1<<16)
		if n > 1<<16+1 {
			t.Errorf("%d bytes written, want %d at most", n, 1<<16)
		}
		entries, err := os.ReadDir(outer)
		if err != nil || len(entries) > 1 || len(entries) == 1 && entries[0].Name() != "in" {
			t.Errorf("beside the package there are %v (%v)", entries, err)
		}
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type()&fs.ModeSymlink != 0 {
				if to, err := os.Readlink(path); err != nil || filepath.IsAbs(to) {
					t.Errorf("link %s to %s", path, to)
				}
			}
			return nil
		})
	})
}
