package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// KindObject is the kind under which the change log reports S3 objects: the
// parent is the bucket's id, the id is the object's name.
const KindObject = "s3object"

// An ObjectVersion is one version of an S3 object, or a delete marker. A bucket is
// a document that the caller keeps; it cannot be deleted while it holds versions.
type ObjectVersion struct {
	Name     string    // the S3 key: 1 to 1,024 bytes of UTF-8 without NUL
	Version  string    // unique among the versions of the name: "null" or what the caller made
	Latest   bool      // whether it is the newest of its name; set by the store
	Marker   bool      // whether it is a delete marker, which has no content
	Size     int64     // in bytes; set by the store
	ETag     string    // without quotes
	Modified time.Time // UTC; set by the store
	Meta     []byte    // small; whatever the caller keeps with the version

	seq int64
}

// PutObject adds a version, which becomes the latest of its name, with the content
// of the parts. A version of the same id is replaced.
func (tx *Tx) PutObject(bucket Key, v ObjectVersion, parts ...Blob) error {
	if err := validText(v.Name); err != nil {
		return fmt.Errorf("store: object %.40q %w", v.Name, err)
	}
	if v.Name == "" || v.Version == "" {
		return errors.New("store: an object needs a name and a version")
	}
	in, err := tx.seq(bucket)
	if err != nil {
		return err
	}
	ids := make([]int64, len(parts))
	v.Size = 0
	for i, b := range parts { // before releasing, so that a copy onto itself keeps its content
		if ids[i], err = tx.retain(b); err != nil {
			return err
		}
		v.Size += b.Size
	}
	if err := tx.removeVersion(in, v.Name, v.Version); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if _, err := tx.exec(`UPDATE object_versions SET latest = 0 WHERE bucket = $1 AND name = $2 AND latest = 1`,
		in, []byte(v.Name)); err != nil {
		return err
	}
	marker := 0
	if v.Marker {
		marker = 1
	}
	err = tx.one([]any{&v.seq}, `INSERT INTO object_versions (bucket, name, version, latest, marker, size, etag, created, meta)
		VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8) RETURNING seq`,
		in, []byte(v.Name), v.Version, marker, v.Size, v.ETag, tx.now.UnixNano(), notNil(v.Meta))
	if err != nil {
		return err
	}
	for n, id := range ids {
		if _, err := tx.exec(`INSERT INTO object_parts (object, n, blob) VALUES ($1, $2, $3)`, v.seq, n, id); err != nil {
			return err
		}
	}
	tx.touch(objectKey(bucket, v.Name), false)
	return nil
}

// Object returns the latest version of a name, which may be a delete marker; the
// error matches ErrNotFound when there is no version at all.
func (tx *Tx) Object(bucket Key, name string) (ObjectVersion, error) {
	return tx.version(bucket, name, `latest = 1`)
}

// ObjectVersion returns one version of a name.
func (tx *Tx) ObjectVersion(bucket Key, name, version string) (ObjectVersion, error) {
	return tx.version(bucket, name, `version = $3`, version)
}

func (tx *Tx) version(bucket Key, name, which string, args ...any) (v ObjectVersion, err error) {
	in, err := tx.seq(bucket)
	if err != nil {
		return v, err
	}
	found, err := tx.versions(`bucket = $1 AND name = $2 AND `+which, append([]any{in, []byte(name)}, args...)...)
	if err != nil {
		return v, err
	}
	if len(found) == 0 {
		return v, &KeyError{Key: objectKey(bucket, name), Err: ErrNotFound}
	}
	return found[0], nil
}

// ObjectParts returns the blobs that make up the content of a version.
func (tx *Tx) ObjectParts(v ObjectVersion) (parts []Blob, err error) {
	err = tx.query(func(scan func(...any) error) error {
		var b Blob
		err := scan(&b.id, &b.Size)
		parts = append(parts, b)
		return err
	}, `SELECT id, blobs.size FROM object_parts JOIN blobs ON id = blob WHERE object = $1 ORDER BY n`, v.seq)
	return parts, err
}

// SetObjectMeta replaces what the caller keeps with a version.
func (tx *Tx) SetObjectMeta(bucket Key, v ObjectVersion, meta []byte) error {
	n, err := tx.exec(`UPDATE object_versions SET meta = $2 WHERE seq = $1`, v.seq, notNil(meta))
	if err == nil && n == 0 {
		err = &KeyError{Key: objectKey(bucket, v.Name), Err: ErrNotFound}
	}
	if err != nil {
		return err
	}
	tx.touch(objectKey(bucket, v.Name), false)
	return nil
}

// DeleteObjectVersion removes a version for good; the newest of those that remain
// becomes the latest. The error matches ErrNotFound when it is not there.
func (tx *Tx) DeleteObjectVersion(bucket Key, name, version string) error {
	in, err := tx.seq(bucket)
	if err != nil {
		return err
	}
	if err := tx.removeVersion(in, name, version); errors.Is(err, ErrNotFound) {
		return &KeyError{Key: objectKey(bucket, name), Err: ErrNotFound}
	} else if err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE object_versions SET latest = 1 WHERE latest = 0 AND seq =
		(SELECT max(seq) FROM object_versions WHERE bucket = $1 AND name = $2)`, in, []byte(name))
	if err != nil {
		return err
	}
	var left int
	if err := tx.one([]any{&left}, `SELECT count(*) FROM object_versions WHERE bucket = $1 AND name = $2 AND latest = 1`,
		in, []byte(name)); err != nil {
		return err
	}
	tx.touch(objectKey(bucket, name), left == 0)
	return nil
}

// removeVersion removes one version and its use of blobs, and leaves which one is
// the latest to its callers.
func (tx *Tx) removeVersion(bucket int64, name, version string) error {
	var seq int64
	err := tx.one([]any{&seq}, `SELECT seq FROM object_versions WHERE bucket = $1 AND name = $2 AND version = $3`,
		bucket, []byte(name), version)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	if err := tx.release(`SELECT blob FROM object_parts WHERE object = $1`, seq); err != nil {
		return err
	}
	_, err = tx.exec(`DELETE FROM object_versions WHERE seq = $1`, seq)
	return err
}

// HasObjects reports whether a bucket holds any version or delete marker.
func (tx *Tx) HasObjects(bucket Key) (bool, error) {
	in, err := tx.seq(bucket)
	if err != nil {
		return false, err
	}
	found, err := tx.versions(`bucket = $1 LIMIT 1`, in)
	return len(found) > 0, err
}

// Objects lists the latest versions in the order of their names' bytes, without
// delete markers: names from the one given on, before the end ("" means no end),
// at most limit.
func (tx *Tx) Objects(bucket Key, from, end string, limit int) ([]ObjectVersion, error) {
	in, err := tx.seq(bucket)
	if err != nil {
		return nil, err
	}
	before, args := nameRange(end, in, []byte(from), limit)
	return tx.versions(`bucket = $1 AND latest = 1 AND marker = 0 AND name >= $2 `+before+` ORDER BY name LIMIT $3`, args...)
}

// ObjectVersions lists all versions and delete markers by name, the newest first,
// like Objects. With after, a version of the name from, the list begins behind
// that version.
func (tx *Tx) ObjectVersions(bucket Key, from, after, end string, limit int) ([]ObjectVersion, error) {
	in, err := tx.seq(bucket)
	if err != nil {
		return nil, err
	}
	var found []ObjectVersion
	if after != "" {
		v, err := tx.ObjectVersion(bucket, from, after)
		if err != nil {
			return nil, err
		}
		found, err = tx.versions(`bucket = $1 AND name = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4`, in, []byte(from), v.seq, limit)
		if err != nil || len(found) == limit {
			return found, err
		}
		from += "\x00" // the next name possible
	}
	before, args := nameRange(end, in, []byte(from), limit-len(found))
	rest, err := tx.versions(`bucket = $1 AND name >= $2 `+before+` ORDER BY name, seq DESC LIMIT $3`, args...)
	return append(found, rest...), err
}

// nameRange adds the end of a range of names, if it has one.
func nameRange(end string, args ...any) (string, []any) {
	if end == "" {
		return "", args
	}
	return `AND name < $4`, append(args, []byte(end))
}

func (tx *Tx) versions(where string, args ...any) (found []ObjectVersion, err error) {
	err = tx.query(func(scan func(...any) error) error {
		var v ObjectVersion
		var name []byte
		var latest, marker int
		var created int64
		err := scan(&v.seq, &name, &v.Version, &latest, &marker, &v.Size, &v.ETag, &created, &v.Meta)
		v.Name, v.Latest, v.Marker, v.Modified = string(name), latest == 1, marker == 1, time.Unix(0, created).UTC()
		found = append(found, v)
		return err
	}, `SELECT seq, name, version, latest, marker, size, etag, created, meta FROM object_versions WHERE `+where, args...)
	return found, err
}

// objectKey is how the change log names an object.
func objectKey(bucket Key, name string) Key {
	return Key{Account: bucket.Account, Region: bucket.Region, Kind: KindObject, Parent: bucket.ID, ID: name}
}
