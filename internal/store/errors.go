package store

import (
	"errors"
	"fmt"
)

// Errors that callers match with errors.Is.
var (
	// ErrNotFound: no document, name, secret, object or blob is there.
	ErrNotFound = errors.New("not found")
	// ErrExists: Create found a document of that key.
	ErrExists = errors.New("already exists")
	// ErrTaken: another document holds the name; the error is a *TakenError.
	ErrTaken = errors.New("name is taken")
	// ErrConflict: the document changed since it was read; the error is a *ConflictError.
	ErrConflict = errors.New("changed in the meantime")
	// ErrRelist: the change log cannot continue from the revision asked for, because
	// it was compacted or the store was restored. List again, then watch from there.
	ErrRelist = errors.New("change log does not reach back: list again")
	// ErrCursor: a page cursor was not made by this kind of list.
	ErrCursor = errors.New("not a valid page cursor")
	// ErrReadOnly: a write within View.
	ErrReadOnly = errors.New("transaction is read-only")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
	// ErrInUse: another process has the data folder open.
	ErrInUse = errors.New("data folder is in use by another process")
	// ErrCorrupt: the database file is damaged or no database.
	ErrCorrupt = errors.New("database is corrupt")
	// ErrNewer: the schema was written by a newer version of the program.
	ErrNewer = errors.New("store was written by a newer version")
)

// A KeyError says which document an error is about.
type KeyError struct {
	Key Key
	Err error // ErrNotFound or ErrExists
}

func (e *KeyError) Error() string { return "store: " + e.Key.String() + ": " + e.Err.Error() }
func (e *KeyError) Unwrap() error { return e.Err }

// A TakenError says who holds a name. It matches ErrTaken.
type TakenError struct {
	Scope, Name string
	By          Key
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("store: name %q in %s is taken by %s", e.Name, e.Scope, e.By)
}
func (e *TakenError) Unwrap() error { return ErrTaken }

// A ConflictError says which revision was found. It matches ErrConflict.
type ConflictError struct {
	Key        Key
	Want, Have int64 // Have is zero when the document is gone
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("store: %s: revision is %d, want %d: %v", e.Key, e.Have, e.Want, ErrConflict)
}
func (e *ConflictError) Unwrap() error { return ErrConflict }
