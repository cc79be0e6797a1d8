package store

import "context"

// Reset deletes every document with all that belongs to it, in one commit whose deletions
// are in the change log, and every event. Facts (Meta) and keys stay. It is for --dev.
func (s *Store) Reset(ctx context.Context) error {
	_, err := s.Update(ctx, func(tx *Tx) error {
		var keys []Key
		err := tx.query(func(scan func(...any) error) error {
			var k Key
			err := scan(&k.Kind, &k.Account, &k.Region, &k.Parent, &k.ID)
			keys = append(keys, k)
			return err
		}, `SELECT kind, account, region, parent, id FROM documents ORDER BY seq`)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		_, err = tx.exec(`DELETE FROM events`)
		return err
	})
	return err
}
