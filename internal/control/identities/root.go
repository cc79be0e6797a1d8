package identities

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A RootKey is the access key of an account's root: it can do everything.
type RootKey struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// rootFile is where a root key that was made here is kept, in the data folder.
const rootFile = "root-key.json"

// DevRootKey is the root key of --dev. It is really verified.
var DevRootKey = RootKey{AccessKeyID: "test", SecretAccessKey: "test"}

// LoadRootKey reads the root key of a data folder. The error matches fs.ErrNotExist when
// none was made there.
func LoadRootKey(dir string) (RootKey, error) {
	var k RootKey
	name := filepath.Join(dir, rootFile)
	data, err := os.ReadFile(name)
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(data, &k); err != nil || k.AccessKeyID == "" || k.SecretAccessKey == "" {
		return k, fmt.Errorf("root key %s: want a JSON object with accessKeyId and secretAccessKey; remove the file to have a new key made", name)
	}
	return k, nil
}

// OpenRootKey is LoadRootKey that makes a key, readable by its owner only, when the folder
// has none.
func OpenRootKey(dir string) (RootKey, error) {
	k, err := LoadRootKey(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	k = newRootKey()
	data, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return k, err
	}
	f, err := os.OpenFile(filepath.Join(dir, rootFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return LoadRootKey(dir) // another process was faster
	}
	if err != nil {
		return k, fmt.Errorf("root key: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	return k, errors.Join(err, f.Sync(), f.Close())
}

// newRootKey makes a key of the form of AWS's: "AKIA" and 16 letters and digits, and a
// secret of 40 characters.
func newRootKey() RootKey {
	var secret [30]byte
	rand.Read(secret[:]) // never fails (crypto/rand)
	return RootKey{
		AccessKeyID:     "AKIA" + strings.ToUpper(rand.Text()[:16]),
		SecretAccessKey: base64.StdEncoding.EncodeToString(secret[:]),
	}
}
