package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
)

// Secrets are sealed in two layers. Each is encrypted (AES-256-GCM) under a data
// key; data keys lie in the database, themselves encrypted under a sealing key,
// which lies outside. A second data key makes keyed hashes and never changes.

// purpose says what a data key is for.
type purpose string

const (
	purposeSeal purpose = "seal"
	purposeHash purpose = "hash"
)

// A keyring holds the data keys of a store in the clear.
type keyring struct {
	file keyFile

	mu   sync.RWMutex
	seal map[string]cipher.AEAD // by id
	hash [32]byte
}

// A dataKey is one row of data_keys.
type dataKey struct {
	id      string
	purpose purpose
	sealing string // id of the sealing key that wraps it
	wrapped []byte
	active  bool
}

// openKeyring unwraps the data keys of the store, or makes them for a new store.
func (s *Store) openKeyring(ctx context.Context) error {
	var found []dataKey
	err := s.View(ctx, func(tx *Tx) (err error) {
		found, err = tx.dataKeys()
		return err
	})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		if found, err = s.makeKeyring(ctx); err != nil {
			return err
		}
	}
	return s.keys.load(found)
}

// makeKeyring gives a new store its data keys. The sealing key is written to its
// file first; without it the data keys would be lost.
func (s *Store) makeKeyring(ctx context.Context) (made []dataKey, err error) {
	held, err := s.keys.file.read()
	if err != nil {
		return nil, err
	}
	if len(held) == 0 {
		held = []sealingKey{newSealingKey()}
		if err := s.keys.file.write(held); err != nil {
			return nil, err
		}
	}
	sealing := held[len(held)-1]
	_, err = s.Update(ctx, func(tx *Tx) error {
		made, err = tx.dataKeys() // another node may have been faster
		if err != nil || len(made) > 0 {
			return err
		}
		for _, p := range []purpose{purposeSeal, purposeHash} {
			var key [32]byte
			rand.Read(key[:])
			made = append(made, wrap(key, p, sealing))
			if err := tx.addDataKey(made[len(made)-1]); err != nil {
				return err
			}
		}
		return nil
	})
	return made, err
}

// load unwraps data keys with the sealing keys of the file.
func (r *keyring) load(found []dataKey) error {
	held, err := r.file.read()
	if err != nil {
		return err
	}
	if len(held) == 0 {
		return fmt.Errorf("store: %w: the store was sealed with key %s, but %s does not exist; "+
			"put the file back from where you keep its copy, or from another node",
			ErrSealingKey, found[0].sealing, r.file.path)
	}
	seal := make(map[string]cipher.AEAD)
	var hash [32]byte
	for _, d := range found {
		key, err := unwrap(d, held)
		if err != nil {
			return fmt.Errorf("store: %w: %s: %w", ErrSealingKey, r.file.path, err)
		}
		if d.purpose == purposeHash {
			hash = key
		} else {
			seal[d.id] = newAEAD(key)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seal, r.hash = seal, hash
	return nil
}

func (r *keyring) aead(id string) cipher.AEAD {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.seal[id]
}

// aead returns a data key by id. Another node may have made it since: then the
// keys are loaded again.
func (tx *Tx) aead(id string) (cipher.AEAD, error) {
	ring := &tx.store.keys
	if a := ring.aead(id); a != nil {
		return a, nil
	}
	found, err := tx.dataKeys()
	if err != nil {
		return nil, err
	}
	if err := ring.load(found); err != nil {
		return nil, err
	}
	if a := ring.aead(id); a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("store: data key %s: %w", id, ErrNotFound)
}

func (tx *Tx) dataKeys() (found []dataKey, err error) {
	err = tx.query(func(scan func(...any) error) error {
		var d dataKey
		var active int
		err := scan(&d.id, &d.purpose, &d.sealing, &d.wrapped, &active)
		d.active = active == 1
		found = append(found, d)
		return err
	}, `SELECT id, purpose, sealing_key, wrapped, active FROM data_keys ORDER BY id`)
	return found, err
}

func (tx *Tx) addDataKey(d dataKey) error {
	active := 0
	if d.active {
		active = 1
	}
	_, err := tx.exec(`INSERT INTO data_keys (id, purpose, sealing_key, wrapped, active) VALUES ($1, $2, $3, $4, $5)`,
		d.id, string(d.purpose), d.sealing, d.wrapped, active)
	return err
}

// wrap encrypts a new data key under a sealing key.
func wrap(key [32]byte, p purpose, sealing sealingKey) dataKey {
	var id [8]byte
	rand.Read(id[:])
	d := dataKey{id: hex.EncodeToString(id[:]), purpose: p, sealing: sealing.id, active: true}
	d.wrapped = seal(newAEAD(sealing.key), key[:], d.associated())
	return d
}

func unwrap(d dataKey, held []sealingKey) (key [32]byte, err error) {
	for _, k := range held {
		if k.id != d.sealing {
			continue
		}
		plain, err := unseal(newAEAD(k.key), d.wrapped, d.associated())
		if err != nil || len(plain) != len(key) {
			return key, fmt.Errorf("data key %s is damaged: %w", d.id, err)
		}
		return [32]byte(plain), nil
	}
	return key, fmt.Errorf("the store was sealed with key %s, the file holds %s", d.sealing, ids(held))
}

func ids(keys []sealingKey) string {
	s := ""
	for i, k := range keys {
		if i > 0 {
			s += ", "
		}
		s += k.id
	}
	return s
}

// associated binds a wrapped key to its row.
func (d dataKey) associated() []byte {
	return []byte("gatehouse data key\x00" + d.id + "\x00" + string(d.purpose))
}

// newAEAD cannot fail: the key has the right length.
func newAEAD(key [32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err == nil {
		var a cipher.AEAD
		if a, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return a
		}
	}
	panic("store: AES-256-GCM with a 32 byte key: " + err.Error())
}

// seal encrypts with a random nonce, which the result begins with.
func seal(a cipher.AEAD, plain, associated []byte) []byte {
	return a.Seal(nil, nil, plain, associated)
}

func unseal(a cipher.AEAD, sealed, associated []byte) ([]byte, error) {
	if len(sealed) < a.Overhead() {
		return nil, errors.New("sealed value is too short")
	}
	return a.Open(nil, nil, sealed, associated)
}

// KeyedHash returns a hash of a secret value that only this store can compute, for
// looking the value up (with Claim) without storing it. Purpose separates uses. It
// stays the same when keys are rotated.
func (s *Store) KeyedHash(purpose string, value []byte) []byte {
	s.keys.mu.RLock()
	defer s.keys.mu.RUnlock()
	h := hmac.New(sha256.New, s.keys.hash[:])
	h.Write([]byte(purpose + "\x00"))
	h.Write(value)
	return h.Sum(nil)
}
