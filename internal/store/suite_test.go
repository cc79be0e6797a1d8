package store_test

import (
	"os"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/pgtest"
	"gatehouse/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir, os.Getenv(crashURL))
		os.Exit(1)
	}
	pgtest.Main(m)
}

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
