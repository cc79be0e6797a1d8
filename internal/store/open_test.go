package store_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/store"
)

// openError opens a store that must not open and returns why.
func openError(t *testing.T, opts store.Options) error {
	t.Helper()
	s, err := store.Open(t.Context(), opts)
	if err == nil {
		s.Close()
		t.Fatalf("store %+v opened", opts)
	}
	return err
}

// says fails the test unless the error contains every text.
func says(t *testing.T, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

func made(t *testing.T, opts store.Options) {
	t.Helper()
	s, err := store.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), func(tx *store.Tx) error {
		for _, id := range []string{"x", "y"} {
			if err := tx.Put(store.Key{Kind: "k", ID: id}, bytes.Repeat([]byte("body"), 10_000)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFolderInUse(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	err = openError(t, store.Options{Dir: dir})
	if !errors.Is(err, store.ErrInUse) {
		t.Errorf("second open: %v, want ErrInUse", err)
	}
	says(t, err, dir, "process ")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	made(t, store.Options{Dir: dir}) // free again
}

func TestFolderNames(t *testing.T) {
	for _, name := range []string{"a b", "100%", "what?x=1", "a#b", "é", "a&_pragma=foreign_keys(0)"} {
		dir := filepath.Join(t.TempDir(), name, "data")
		made(t, store.Options{Dir: dir})
		if _, err := os.Stat(filepath.Join(dir, store.DatabaseFile)); err != nil {
			t.Errorf("folder %q: %v", name, err)
		}
	}
}

func TestFilesAreForTheOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 4 { // database, its log and index, lock, key
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestFolderIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, openError(t, store.Options{Dir: filepath.Join(file, "data")}), "data folder", file)
	says(t, openError(t, store.Options{}), "neither a data folder")
}

// unwritableDir makes the test binary the child of TestFolderUnwritable.
const unwritableDir = "GATEHOUSE_TEST_UNWRITABLE_DIR"

func TestFolderUnwritable(t *testing.T) {
	if dir := os.Getenv(unwritableDir); dir != "" {
		says(t, openError(t, store.Options{Dir: dir}), "data folder", dir, "permission denied")
		return
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		says(t, openError(t, store.Options{Dir: dir}), "data folder", dir, "permission denied")
		return
	}
	// Root may write anywhere, so another user tries: a copy of the test binary,
	// since the original lies where only root may look.
	open, err := os.MkdirTemp("", "unwritable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(open) })
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(open, "data")
	if err := errors.Join(
		os.Chmod(open, 0o755),
		os.Mkdir(data, 0o755),
		os.WriteFile(filepath.Join(open, "test"), binary, 0o755),
	); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(filepath.Join(open, "test"), "-test.run=^TestFolderUnwritable$")
	child.Dir = open
	child.Env = []string{unwritableDir + "=" + data}
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("as another user: %v\n%s", err, out)
	}
}

func TestCorruptDatabase(t *testing.T) {
	t.Run("no database", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, store.DatabaseFile)
		if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		err := openError(t, store.Options{Dir: dir})
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("open: %v, want ErrCorrupt", err)
		}
		says(t, err, path, "restore a backup")
		if _, err := os.Stat(filepath.Join(dir, store.SealingKeyFile)); !os.IsNotExist(err) {
			t.Errorf("a sealing key was made for a corrupt store: %v", err)
		}
	})
	t.Run("damaged pages", func(t *testing.T) {
		dir := t.TempDir()
		made(t, store.Options{Dir: dir})
		path := filepath.Join(dir, store.DatabaseFile)
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 4096; i < len(body); i++ { // the first page, with the schema, stays
			body[i] ^= 0xa5
		}
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		err = openError(t, store.Options{Dir: dir})
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("open: %v, want ErrCorrupt", err)
		}
		says(t, err, path)
	})
	t.Run("damage that only a check finds", func(t *testing.T) {
		dir := t.TempDir()
		made(t, store.Options{Dir: dir})
		path := filepath.Join(dir, store.DatabaseFile)
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// The body of the document fills its last overflow pages with "body"; the
		// first four bytes of such a page lead to the next.
		at := bytes.LastIndex(body, []byte("bodybody")) / 4096 * 4096
		copy(body[at:], []byte{0xff, 0xff, 0xff, 0xff})
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Check(t.Context()); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("check: %v, want ErrCorrupt", err)
		}
	})
}

func TestSealingKeyFile(t *testing.T) {
	dir := t.TempDir()
	elsewhere := filepath.Join(t.TempDir(), "keys", "sealing")
	opts := store.Options{Dir: dir, KeyFile: elsewhere}
	made(t, opts)
	info, err := os.Stat(elsewhere)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v; want mode 0600", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, store.SealingKeyFile)); !os.IsNotExist(err) {
		t.Errorf("a key lies in the data folder too: %v", err)
	}
	good, err := os.ReadFile(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	key := string(bytes.TrimSpace(good[bytes.LastIndexByte(bytes.TrimSpace(good), '\n')+1:]))
	for _, c := range []struct{ name, body, want string }{
		{"empty", "", "holds no key"},
		{"cut", key[:len(key)-3], "line 1"},
		{"other id", "0000000000000000" + key[16:], "line 1"},
		{"too large", strings.Repeat("#\n", 40_000), "more than"},
	} {
		if err := os.WriteFile(elsewhere, []byte(c.body), 0o600); err != nil {
			t.Fatal(err)
		}
		err := openError(t, opts)
		says(t, err, elsewhere, c.want)
		if secret := key[17:30]; strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the key: %v", c.name, err)
		}
	}
	if err := errors.Join(os.WriteFile(elsewhere, good, 0o600), os.Chmod(elsewhere, 0o644)); err != nil {
		t.Fatal(err)
	}
	says(t, openError(t, opts), elsewhere, "0644")
}

func TestUnknownURL(t *testing.T) {
	err := openError(t, store.Options{Dir: t.TempDir(), URL: "mysql://root:hunter2@host/db"})
	says(t, err, "mysql:", "postgres://")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the password: %v", err)
	}
	err = openError(t, store.Options{Dir: t.TempDir(), URL: "postgres://u:hunter2@localhost:1/db?connect_timeout=1"})
	says(t, err, "PostgreSQL at localhost")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestSpaceIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	s, err := store.Open(t.Context(), store.Options{Dir: dir, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := s.NewBlob(t.Context())
	if _, err := w.Write(make([]byte, 40<<20)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * store.BlobGrace)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil { // writes the log back into the file
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, store.DatabaseFile))
	if err != nil || info.Size() > 20<<20 {
		t.Errorf("the file has %d bytes after 40 MiB were removed, %v", info.Size(), err)
	}
}
