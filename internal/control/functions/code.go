package functions

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/runtime/deploypkg"
	"gatehouse/internal/store"
)

// A pack is a deployment package on its way into the store.
type pack struct {
	blob     store.Blob
	sha256   string // base64, as answers have it
	size     int64
	unpacked int64
}

// receive takes a package from a call or from S3, judges it, and writes it to the store,
// where nothing refers to it yet. An image is refused: there are no containers here.
func (f *Functions) receive(ctx context.Context, zip []byte, bucket, key, objectVersion, image *string) (*pack, error) {
	switch {
	case image != nil:
		return nil, invalid("Container images are not supported: want a .zip file archive (ZipFile, or S3Bucket and S3Key)")
	case bucket != nil && key != nil:
		var err error
		if zip, err = f.ReadObject(ctx, *bucket, *key, opt.Value(objectVersion), deploypkg.MaxUnpacked); err != nil {
			return nil, invalid(fmt.Sprintf("Error occurred while GetObject. %v", err))
		}
	case zip == nil:
		return nil, invalid("Please provide a source for function code.")
	case len(zip) > deploypkg.MaxZip:
		return nil, lambda.RequestTooLargeException(fmt.Sprintf("Request must be smaller than %d bytes for the CreateFunction operation", 70167211))
	}
	unpacked, err := f.code.judge(zip)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(zip)
	p := &pack{sha256: base64.StdEncoding.EncodeToString(sum[:]), size: int64(len(zip)), unpacked: unpacked}
	w := f.Store.NewBlob(ctx)
	if _, err = w.Write(zip); err == nil {
		p.blob, err = w.Finish()
	}
	if err != nil {
		w.Discard()
		return nil, err
	}
	return p, nil
}

// attach keeps the package with the document that uses it.
func (p *pack) attach(tx *store.Tx, k store.Key) error {
	return tx.Attach(k, store.Attachment{Name: attachment(p.sha256), Blob: p.blob})
}

// attachment is the name under which a package is attached: its hash, readable in a path.
func attachment(sha string) string {
	b, err := base64.StdEncoding.DecodeString(sha)
	if err != nil {
		return "invalid"
	}
	return hex.EncodeToString(b)
}

// A codeStore lays unpacked code out in folders, named by the hashes of packages.
type codeStore struct {
	dir   string
	store *store.Store
	mu    sync.Mutex
}

// judge unpacks a package to see that it can be.
func (c *codeStore) judge(zip []byte) (size int64, err error) {
	dir, err := c.scratch()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	size, err = deploypkg.Unpack(zip, dir, deploypkg.MaxUnpacked)
	switch {
	case errors.Is(err, deploypkg.ErrUnpackedTooLarge):
		return size, invalid(err.Error())
	case errors.Is(err, deploypkg.ErrNotZip):
		return size, invalid(err.Error())
	}
	return size, err
}

// scratch makes an empty folder that everybody may read.
func (c *codeStore) scratch() (string, error) {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(c.dir, "new-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// A part is one package of a function: its code, or a layer.
type part struct {
	owner store.Key
	sha   string
}

// folder returns the folder with the unpacked parts, later ones over earlier ones. It
// asks the store only the first time.
func (c *codeStore) folder(ctx context.Context, parts ...part) (string, error) {
	if len(parts) == 0 {
		return "", nil
	}
	names, name := folderName(parts)
	path := filepath.Join(c.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	dir, err := c.scratch()
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	left := int64(deploypkg.MaxUnpacked)
	for i, p := range parts {
		zip, err := c.read(ctx, p.owner, names[i])
		if err != nil {
			return "", err
		}
		n, err := deploypkg.Unpack(zip, dir, left)
		if err != nil {
			return "", err
		}
		left -= n
	}
	return path, os.Rename(dir, path)
}

// folderName names the folder of parts, and their attachments.
func folderName(parts []part) (attachments []string, name string) {
	for _, p := range parts {
		attachments = append(attachments, attachment(p.sha))
	}
	if len(attachments) == 1 {
		return attachments, attachments[0]
	}
	sum := sha256.Sum256([]byte(strings.Join(attachments, " ")))
	return attachments, hex.EncodeToString(sum[:])
}

// tidy removes the folders that nothing needs any more. It is called before the first
// call, when no process uses any.
func (c *codeStore) tidy(needed map[string]bool) error {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !needed[e.Name()] {
			if err := os.RemoveAll(filepath.Join(c.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *codeStore) read(ctx context.Context, owner store.Key, name string) ([]byte, error) {
	var a store.Attachment
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		a, err = tx.Attachment(owner, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("code of %v: %w", owner, err)
	}
	return io.ReadAll(c.store.OpenBlobs(ctx, a.Blob))
}

// detachUnused removes packages that no version of the function uses any more.
func detachUnused(tx *store.Tx, k store.Key, fn *model.Function) error {
	used := map[string]bool{attachment(fn.Latest.CodeSHA256): true}
	for i := range fn.Versions {
		used[attachment(fn.Versions[i].CodeSHA256)] = true
	}
	list, err := tx.Attachments(k, "", 10_000)
	if err != nil {
		return err
	}
	for _, a := range list {
		if !used[a.Name] {
			if err := tx.Detach(k, a.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
