// Package deploypkg unpacks deployment packages of functions and layers: zip files that
// anybody may have made. Control calls it to judge a package, the server to lay code out
// for package runtime. It keeps no state.
package deploypkg

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Limits of deployment packages (Lambda quotas).
const (
	MaxZip      = 50 << 20  // a package given with the call, zipped
	MaxUnpacked = 250 << 20 // a function and its layers, unpacked
	maxEntries  = 100_000
)

// Systems whose zip files have permissions (APPNOTE.TXT, section 4.4.2).
const (
	creatorUnix   = 3
	creatorDarwin = 19
)

// ErrUnpackedTooLarge means that a package is larger than allowed when unpacked.
var ErrUnpackedTooLarge = fmt.Errorf("Unzipped size must be smaller than %d bytes", MaxUnpacked)

// ErrNotZip means that a package is not a zip file that can be read.
var ErrNotZip = errors.New("Could not unzip uploaded file. Please check your file, then try to upload again.")

// Unpack writes the content of a zip file to the folder dir, over what is there, and
// returns how many bytes that were. Files keep their permissions, folders can be entered by
// everybody. Nothing is written outside of dir, whatever names and links the file has. left
// is how many bytes it may have at most.
//
// dir must not be writable by anybody else while Unpack works.
func Unpack(archive []byte, dir string, left int64) (int64, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return 0, ErrNotZip
	}
	if len(z.File) > maxEntries {
		return 0, fmt.Errorf("%w: %d entries, want at most %d", ErrNotZip, len(z.File), maxEntries)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	var total int64
	for _, f := range z.File {
		n, err := unpackEntry(root, f, left-total)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// unpackEntry writes one entry of a zip file.
func unpackEntry(root *os.Root, f *zip.File, left int64) (int64, error) {
	name := strings.ReplaceAll(f.Name, `\`, "/")
	if !filepath.IsLocal(name) {
		return 0, fmt.Errorf("%w The entry %q leads out of the package.", ErrNotZip, f.Name)
	}
	mode := f.Mode()
	switch {
	case strings.HasSuffix(name, "/") || mode.IsDir():
		return 0, root.MkdirAll(strings.TrimSuffix(name, "/"), 0o755)
	case mode&os.ModeSymlink != 0:
		return unpackLink(root, f, name)
	case !mode.IsRegular():
		return 0, fmt.Errorf("%w The entry %q is neither a file nor a folder nor a link.", ErrNotZip, f.Name)
	}
	if err := makeParent(root, name); err != nil {
		return 0, err
	}
	in, err := f.Open()
	if err != nil {
		return 0, ErrNotZip
	}
	defer in.Close()
	// Made by a system without permissions, or with none set: readable.
	perm := mode.Perm()
	if creator := f.CreatorVersion >> 8; perm == 0 || creator != creatorUnix && creator != creatorDarwin {
		perm = 0o644
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	out, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, left+1))
	if err == nil {
		err = out.Chmod(perm) // whatever the umask
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	switch {
	case n > left:
		return n, ErrUnpackedTooLarge
	case errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat), errors.Is(err, io.ErrUnexpectedEOF):
		return n, ErrNotZip
	}
	return n, err
}

// unpackLink makes a symbolic link, which must stay inside of the package: the function
// sees its package at another place than the server.
func unpackLink(root *os.Root, f *zip.File, name string) (int64, error) {
	in, err := f.Open()
	if err != nil {
		return 0, ErrNotZip
	}
	defer in.Close()
	target, err := io.ReadAll(io.LimitReader(in, 4097))
	if err != nil || len(target) == 0 || len(target) > 4096 || bytes.IndexByte(target, 0) >= 0 {
		return 0, ErrNotZip
	}
	if !filepath.IsLocal(filepath.Join(filepath.Dir(name), string(target))) || filepath.IsAbs(string(target)) {
		return 0, fmt.Errorf("%w The link %q leads out of the package.", ErrNotZip, f.Name)
	}
	if err := makeParent(root, name); err != nil {
		return 0, err
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	return 0, root.Symlink(string(target), name)
}

func makeParent(root *os.Root, name string) error {
	if dir := filepath.Dir(name); dir != "." {
		return root.MkdirAll(dir, 0o755)
	}
	return nil
}
