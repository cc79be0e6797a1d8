package store

import (
	"context"
	"time"
)

// An Event is something that was accepted to be done later. What its body says is its
// owner's business.
type Event struct {
	ID   string
	Body []byte
}

// Events are the events of one node. A node holds what it is about to do, for a time that it
// prolongs; what nobody holds any more, because its node is gone, another one takes. So each
// event is done at least once. Events are no documents: writing them makes no revision.
//
// Events are safe for concurrent use.
type Events struct {
	s      *Store
	holder string
}

// Events returns the events of the node, or process, with a name that no other has.
func (s *Store) Events(holder string) *Events { return &Events{s, holder} }

// Write adds events, or gives those that the node holds other bodies, and holds them until a
// time; and it forgets those that are done. All of it is in one commit.
func (e *Events) Write(ctx context.Context, save []Event, until time.Time, done []string) error {
	_, err := e.s.Update(ctx, func(tx *Tx) error {
		for _, ev := range save {
			_, err := tx.exec(`INSERT INTO events (id, holder, held_until, body) VALUES ($1, $2, $3, $4)
				ON CONFLICT (id) DO UPDATE SET held_until = excluded.held_until, body = excluded.body
				WHERE events.holder = excluded.holder`, ev.ID, e.holder, until.UnixNano(), notNil(ev.Body))
			if err != nil {
				return err
			}
		}
		for _, id := range done {
			if _, err := tx.exec(`DELETE FROM events WHERE id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// Hold prolongs the node's hold on all that it holds. A time that has passed gives it up.
func (e *Events) Hold(ctx context.Context, until time.Time) error {
	_, err := e.s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE events SET held_until = $2 WHERE holder = $1`, e.holder, until.UnixNano())
		return err
	})
	return err
}

// Take takes up to limit events that nobody holds any more and holds them until a time. On
// SQLite there is one node, and whatever another name holds is of an earlier run of it.
func (e *Events) Take(ctx context.Context, limit int, until time.Time) (taken []Event, err error) {
	free := `held_until < $1 AND holder <> $2`
	if _, alone := e.s.db.(*sqliteDB); alone {
		free = `$1 > 0 AND holder <> $2`
	}
	_, err = e.s.Update(ctx, func(tx *Tx) error {
		taken = nil
		err := tx.query(func(scan func(...any) error) error {
			var ev Event
			err := scan(&ev.ID, &ev.Body)
			taken = append(taken, ev)
			return err
		}, `SELECT id, body FROM events WHERE `+free+` ORDER BY held_until, id LIMIT $3`, tx.now.UnixNano(), e.holder, limit)
		if err != nil {
			return err
		}
		for _, ev := range taken {
			if _, err := tx.exec(`UPDATE events SET holder = $2, held_until = $3 WHERE id = $1`, ev.ID, e.holder, until.UnixNano()); err != nil {
				return err
			}
		}
		return nil
	})
	return taken, err
}
