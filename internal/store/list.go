package store

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"
)

// An Order is how a list is sorted.
type Order int

const (
	ByCreation Order = iota // oldest first
	ByID                    // by the bytes of the id
)

// A Page says which part of a list to return. The zero value is all of it.
type Page struct {
	Order Order
	After string // cursor returned with the page before; "" starts at the beginning
	Limit int    // at most so many documents; 0 means no limit
}

// List returns one page of the documents of a kind in scope, and the cursor of the
// next page, "" when there is none. A cursor stays good when documents come and
// go between pages: no document that is there all the time is skipped or repeated.
// A cursor that no list of this order made gives ErrCursor.
func (tx *Tx) List(kind string, in Scope, page Page) (docs []Document, next string, err error) {
	limit := page.Limit
	if limit <= 0 || limit == math.MaxInt {
		limit = math.MaxInt32
	}
	after, condition, err := page.start()
	if err != nil {
		return nil, "", err
	}
	docs, seqs, err := tx.scan(in.Key(kind, ""), `WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4 AND `+
		condition, kind, in.Account, in.Region, in.Parent, after, limit+1)
	if err != nil || len(docs) <= limit {
		return docs, "", err
	}
	if page.Order == ByID {
		next = "i" + docs[limit-1].ID
	} else {
		next = "c" + strconv.FormatInt(seqs[limit-1], 36)
	}
	return docs[:limit], next, nil
}

// start turns the cursor into where to begin.
func (p Page) start() (after any, condition string, err error) {
	bad := fmt.Errorf("store: page after %q: %w", p.After, ErrCursor)
	if p.Order == ByID {
		const condition = `id > $5 ORDER BY id LIMIT $6`
		if p.After == "" {
			return "", condition, nil
		}
		if p.After[0] != 'i' || validText(p.After[1:]) != nil {
			return nil, "", bad
		}
		return p.After[1:], condition, nil
	}
	const creation = `seq > $5 ORDER BY seq LIMIT $6`
	if p.After == "" {
		return int64(0), creation, nil
	}
	seq, err := strconv.ParseInt(p.After[1:], 36, 64)
	if p.After[0] != 'c' || err != nil || seq < 0 {
		return nil, "", bad
	}
	return seq, creation, nil
}

// Parents returns, in order, the parents under which an account and region hold a
// document of a kind with an id. in.Parent is not looked at.
func (tx *Tx) Parents(kind string, in Scope, id string) (parents []string, err error) {
	err = tx.query(func(scan func(...any) error) error {
		var parent string
		err := scan(&parent)
		parents = append(parents, parent)
		return err
	}, `SELECT parent FROM documents WHERE kind = $1 AND account = $2 AND region = $3 AND id = $4 AND parent > '' ORDER BY parent`,
		kind, in.Account, in.Region, id)
	return parents, err
}

// batch is how many documents In and All read at a time.
const batch = 512

// In yields every document of a kind in scope, in order of creation. The loop may
// use the transaction, also to delete what it was given. In stops after yielding
// an error.
func (tx *Tx) In(kind string, in Scope) iter.Seq2[Document, error] {
	return tx.batches(func(after int64) ([]Document, []int64, error) {
		return tx.scan(in.Key(kind, ""), `WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4
			AND seq > $5 ORDER BY seq LIMIT $6`, kind, in.Account, in.Region, in.Parent, after, batch)
	})
}

// All yields every document of a kind in all accounts, regions and parents, like In.
func (tx *Tx) All(kind string) iter.Seq2[Document, error] {
	return tx.batches(func(after int64) ([]Document, []int64, error) {
		return tx.scan(Key{Kind: kind}, `WHERE kind = $1 AND seq > $2 ORDER BY seq LIMIT $3`, kind, after, batch)
	})
}

func (tx *Tx) batches(read func(after int64) ([]Document, []int64, error)) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for after := int64(0); ; {
			docs, seqs, err := read(after)
			if err != nil {
				yield(Document{}, err)
				return
			}
			for _, doc := range docs {
				if !yield(doc, nil) {
					return
				}
			}
			if len(docs) < batch {
				return
			}
			after = seqs[len(seqs)-1]
		}
	}
}

// scan reads documents and their row numbers.
func (tx *Tx) scan(at Key, where string, args ...any) (docs []Document, seqs []int64, err error) {
	err = tx.query(func(scan func(...any) error) error {
		doc := Document{Key: at}
		var seq, created int64
		err := scan(&seq, &doc.Account, &doc.Region, &doc.Parent, &doc.ID, &doc.Revision, &created, &doc.Body)
		doc.Created = time.Unix(0, created).UTC()
		docs, seqs = append(docs, doc), append(seqs, seq)
		return err
	}, `SELECT seq, account, region, parent, id, revision, created, body FROM documents `+where, args...)
	return docs, seqs, err
}
