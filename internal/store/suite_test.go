package store_test

import (
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/pgtest"
	"gatehouse/internal/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Options {
		return store.Options{Dir: t.TempDir()}
	})
}

func TestPostgreSQL(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Options {
		return store.Options{Dir: t.TempDir(), URL: pgtest.Database(t)}
	})
}
