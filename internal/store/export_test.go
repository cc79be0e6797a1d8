package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A RawSchema is a database at some version of the schema, for tests of upgrades.
type RawSchema struct {
	DB     *sql.DB
	Latest int64
}

// OpenRaw opens the place of a store and brings its schema to the version. The
// folder is not locked: close it before opening the store.
func OpenRaw(ctx context.Context, opts Options, version int64) (*RawSchema, error) {
	var db *sql.DB
	dialect := goose.DialectSQLite3
	if opts.URL == "" {
		lite := &sqliteDB{path: opts.Dir + "/" + DatabaseFile}
		var err error
		if db, err = sql.Open("sqlite", lite.dsn()); err != nil {
			return nil, err
		}
	} else {
		dialect = goose.DialectPostgres
		config, err := pgx.ParseConfig(opts.URL)
		if err != nil {
			return nil, err
		}
		db = stdlib.OpenDB(*config)
	}
	provider, err := migrator(dialect, db)
	if err != nil {
		return nil, err
	}
	if _, err := provider.UpTo(ctx, version); err != nil {
		return nil, fmt.Errorf("to version %d: %w", version, err)
	}
	_, latest, err := provider.GetVersions(ctx)
	return &RawSchema{DB: db, Latest: latest}, err
}

// Analyze brings the planner's statistics up to date, as a server does by itself in time.
func Analyze(ctx context.Context, s *Store) error { return s.db.analyze(ctx) }
