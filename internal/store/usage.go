package store

import (
	"context"

	"gatehouse/internal/counter"
)

// Usage keeps quota counts. It implements counter.Ledger and is safe for concurrent use.
// Counts are no documents: writing them makes no revision.
func (s *Store) Usage() counter.Ledger { return ledger{s} }

type ledger struct{ s *Store }

// Record implements counter.Ledger.
func (l ledger) Record(ctx context.Context, entries []counter.Entry) error {
	_, err := l.s.Update(ctx, func(tx *Tx) error {
		for _, e := range entries {
			_, err := tx.exec(`INSERT INTO usage (quota, node, day, used, start, taken, extra, quantity, extra_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				ON CONFLICT (quota, day, node) DO UPDATE SET used = excluded.used, start = excluded.start, taken = excluded.taken,
				extra = excluded.extra, quantity = excluded.quantity, extra_at = excluded.extra_at`,
				e.Quota, e.Node, int64(e.Day), e.Used, e.Start, e.Taken, e.Extra, e.Limit, e.ExtraAt)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// Load implements counter.Ledger.
func (l ledger) Load(ctx context.Context, quota string, from int32) (entries []counter.Entry, err error) {
	err = l.s.View(ctx, func(tx *Tx) error {
		return tx.query(func(scan func(...any) error) error {
			var e counter.Entry
			var day int64
			err := scan(&e.Quota, &e.Node, &day, &e.Used, &e.Start, &e.Taken, &e.Extra, &e.Limit, &e.ExtraAt)
			e.Day = int32(day)
			entries = append(entries, e)
			return err
		}, `SELECT quota, node, day, used, start, taken, extra, quantity, extra_at FROM usage
			WHERE (quota = $1 OR $1 = '') AND day >= $2`, quota, int64(from))
	})
	return entries, err
}
