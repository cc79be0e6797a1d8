package store

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
)

// A Secret is a value that must not be printed: every way of formatting it gives
// "(secret)". Convert it to []byte to use it.
type Secret []byte

// Format implements fmt.Formatter for all verbs.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, "(secret)") }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

// MarshalText keeps a secret out of JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// PutSecret seals a value and keeps it with a document, which must exist, under a
// name. It replaces an earlier one of that name.
func (tx *Tx) PutSecret(k Key, name string, value Secret) error {
	if err := validText(name); err != nil {
		return fmt.Errorf("store: secret %.40q %w", name, err)
	}
	seq, err := tx.seq(k)
	if err != nil {
		return err
	}
	// Asked of the database, since another node may have rotated the keys.
	var id string
	if err := tx.one([]any{&id}, `SELECT id FROM data_keys WHERE purpose = 'seal' AND active = 1`); err != nil {
		return err
	}
	aead, err := tx.aead(id)
	if err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO secrets (doc, name, data_key, sealed) VALUES ($1, $2, $3, $4)
		ON CONFLICT (doc, name) DO UPDATE SET data_key = excluded.data_key, sealed = excluded.sealed`,
		seq, name, id, seal(aead, value, secretPlace(k, name)))
	if err != nil {
		return err
	}
	tx.touch(k, false)
	return nil
}

// Secret returns a secret of a document; the error matches ErrNotFound when there
// is none of that name.
func (tx *Tx) Secret(k Key, name string) (Secret, error) {
	var id string
	var sealed []byte
	err := tx.one([]any{&id, &sealed}, `SELECT data_key, sealed FROM secrets JOIN documents ON seq = doc
		WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4 AND id = $5 AND name = $6`,
		append(k.args(), name)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("store: secret %q of %s: %w", name, k, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	aead, err := tx.aead(id)
	if err != nil {
		return nil, err
	}
	plain, err := unseal(aead, sealed, secretPlace(k, name))
	if err != nil {
		return nil, fmt.Errorf("store: secret %q of %s was altered: %w", name, k, err)
	}
	return plain, nil
}

// DeleteSecret removes a secret; the error matches ErrNotFound when there is none.
func (tx *Tx) DeleteSecret(k Key, name string) error {
	seq, err := tx.seq(k)
	if err != nil {
		return err
	}
	n, err := tx.exec(`DELETE FROM secrets WHERE doc = $1 AND name = $2`, seq, name)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("store: secret %q of %s: %w", name, k, ErrNotFound)
	}
	tx.touch(k, false)
	return nil
}

// secretPlace binds a sealed value to its document and name: moved elsewhere in
// the database it does not open. Lengths keep neighbouring parts apart.
func secretPlace(k Key, name string) []byte {
	var b []byte
	for _, part := range []string{"gatehouse secret", k.Account, k.Region, k.Kind, k.Parent, k.ID, name} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

// AddSealingKey appends a new sealing key to the key file without using it yet. In
// a cluster, copy the file to every node before RotateKeys.
func (s *Store) AddSealingKey() (id string, err error) {
	k := newSealingKey()
	return k.id, s.keys.file.add(k)
}

// RotateKeys seals everything anew: with a new data key under the newest sealing
// key of the file. If that key is the one in use, a new one is added first. The old
// sealing keys stay in the file, for old backups; the database needs them no longer.
// It returns the id of the sealing key now in use.
func (s *Store) RotateKeys(ctx context.Context) (id string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("store: rotate keys: %w", err)
		}
	}()
	held, err := s.newestIsUnused(ctx)
	if err != nil {
		return "", err
	}
	newest := held[len(held)-1]
	var now []dataKey
	_, err = s.Update(ctx, func(tx *Tx) error {
		old, err := tx.dataKeys()
		if err != nil {
			return err
		}
		var fresh [32]byte
		rand.Read(fresh[:])
		sealing := wrap(fresh, purposeSeal, newest)
		if err := tx.addDataKey(sealing); err != nil {
			return err
		}
		if err := tx.resealAll(sealing.id, newAEAD(fresh), old, held); err != nil {
			return err
		}
		for _, d := range old {
			if d.purpose == purposeHash {
				key, err := unwrap(d, held)
				if err != nil {
					return err
				}
				if err := tx.addDataKey(wrap(key, purposeHash, newest)); err != nil {
					return err
				}
			}
			if _, err := tx.exec(`DELETE FROM data_keys WHERE id = $1`, d.id); err != nil {
				return err
			}
		}
		now, err = tx.dataKeys()
		return err
	})
	if err != nil {
		return "", err
	}
	return newest.id, s.keys.load(now)
}

// newestIsUnused returns the sealing keys of the file, the last of which is not yet used.
func (s *Store) newestIsUnused(ctx context.Context) (held []sealingKey, err error) {
	if held, err = s.keys.file.read(); err != nil {
		return nil, err
	}
	err = s.View(ctx, func(tx *Tx) error {
		found, err := tx.dataKeys()
		if err != nil || len(held) == 0 {
			return err
		}
		for _, d := range found {
			if d.sealing == held[len(held)-1].id {
				held = append(held, newSealingKey())
				return s.keys.file.write(held)
			}
		}
		return nil
	})
	if err == nil && len(held) == 0 {
		err = fmt.Errorf("%w: %s does not exist", ErrSealingKey, s.keys.file.path)
	}
	return held, err
}

// resealAll encrypts every secret under a new data key.
func (tx *Tx) resealAll(id string, fresh cipher.AEAD, old []dataKey, held []sealingKey) error {
	aeads := make(map[string]cipher.AEAD)
	for _, d := range old {
		key, err := unwrap(d, held)
		if err != nil {
			return err
		}
		aeads[d.id] = newAEAD(key)
	}
	for {
		secrets, err := tx.secretsNotUnder(id, batch)
		if err != nil || len(secrets) == 0 {
			return err
		}
		for _, s := range secrets {
			if aeads[s.dataKey] == nil {
				return fmt.Errorf("data key %s of secret %q of %s is missing", s.dataKey, s.name, s.key)
			}
			plain, err := unseal(aeads[s.dataKey], s.sealed, secretPlace(s.key, s.name))
			if err != nil {
				return fmt.Errorf("secret %q of %s was altered: %w", s.name, s.key, err)
			}
			_, err = tx.exec(`UPDATE secrets SET data_key = $1, sealed = $2 WHERE doc = $3 AND name = $4`,
				id, seal(fresh, plain, secretPlace(s.key, s.name)), s.seq, s.name)
			if err != nil {
				return err
			}
		}
	}
}

// A storedSecret is one row of secrets and the document it belongs to.
type storedSecret struct {
	seq     int64
	key     Key
	name    string
	dataKey string
	sealed  []byte
}

func (tx *Tx) secretsNotUnder(id string, limit int) (found []storedSecret, err error) {
	err = tx.query(func(scan func(...any) error) error {
		var s storedSecret
		err := scan(&s.seq, &s.key.Kind, &s.key.Account, &s.key.Region, &s.key.Parent, &s.key.ID,
			&s.name, &s.dataKey, &s.sealed)
		found = append(found, s)
		return err
	}, `SELECT doc, kind, account, region, parent, id, name, data_key, sealed
		FROM secrets JOIN documents ON seq = doc WHERE data_key <> $1 LIMIT $2`, id, limit)
	return found, err
}
