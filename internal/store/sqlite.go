package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// DatabaseFile is the name of the SQLite database in the data folder.
const DatabaseFile = "gatehouse.db"

// sqliteReaders is how many Views can run at once. A backup takes one for long, and a
// View within a View takes two.
const sqliteReaders = 8

// A sqliteDB is one SQLite file: one writing connection and several reading ones,
// which see the state at their beginning while the writer goes on (WAL).
type sqliteDB struct {
	path    string
	folder  *folderLock
	writing *sql.DB
	reading *sql.DB
	writers chan *session // holds one
	readers chan *session
}

// openSQLite opens or makes the database in dir and locks the folder.
func openSQLite(ctx context.Context, dir string) (_ *sqliteDB, err error) {
	if dir == "" {
		return nil, errors.New("store: no data folder given")
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("store: data folder: %w", err)
	}
	d := &sqliteDB{path: filepath.Join(dir, DatabaseFile)}
	if d.folder, err = lockFolder(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if err = private(d.path); err != nil {
		return nil, err
	}
	if d.writing, err = sql.Open("sqlite", d.dsn("synchronous(FULL)", "journal_size_limit(67108864)", "cache_size(-8192)")); err != nil {
		return nil, d.explain(err)
	}
	if err := migrate(ctx, goose.DialectSQLite3, d.writing); err != nil {
		return nil, fmt.Errorf("store: %s: %w", d.path, d.explain(err))
	}
	if d.reading, err = sql.Open("sqlite", d.dsn("query_only(1)", "cache_size(-2048)")); err != nil {
		return nil, d.explain(err)
	}
	if d.writers, err = sqliteSessions(ctx, d.writing, 1); err != nil {
		return nil, d.explain(err)
	}
	if d.readers, err = sqliteSessions(ctx, d.reading, sqliteReaders); err != nil {
		return nil, d.explain(err)
	}
	return d, nil
}

// private makes the file if absent, for its owner only; SQLite gives its log the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("store: database: %w", err)
	}
	return f.Close()
}

// dsn returns the data source name: every connection waits for a lock that a
// foreign tool may hold, keeps references intact and trusts no schema function.
func (d *sqliteDB) dsn(pragmas ...string) string {
	u := url.URL{Scheme: "file", Path: d.path, OmitHost: true}
	// Only a database without tables takes the first: free pages can be given back.
	pragmas = append([]string{"auto_vacuum(INCREMENTAL)", "busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(1)", "trusted_schema(0)",
		"temp_store(MEMORY)"}, pragmas...)
	u.RawQuery = url.Values{"_pragma": pragmas}.Encode()
	return u.String()
}

func sqliteSessions(ctx context.Context, db *sql.DB, n int) (chan *session, error) {
	pool := make(chan *session, n)
	for range n {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		pool <- &session{conn: conn, stmts: make(map[string]*sql.Stmt)}
	}
	return pool, nil
}

func (d *sqliteDB) begin(ctx context.Context, m mode) (*session, error) {
	pool, statement := d.writers, "BEGIN IMMEDIATE"
	if m == modeView {
		pool, statement = d.readers, "BEGIN"
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case ses, open := <-pool:
		if !open {
			return nil, ErrClosed
		}
		if err := ses.control(ctx, statement); err != nil {
			pool <- ses
			return nil, err
		}
		ses.writer = m != modeView
		return ses, nil
	}
}

func (d *sqliteDB) end(ses *session) {
	if ses.writer {
		d.writers <- ses
		return
	}
	d.readers <- ses
}

// announce and listen have nothing to do: all changes are made in this process.

func (d *sqliteDB) announce(context.Context, *session) error { return nil }

func (d *sqliteDB) listen(context.Context, *slog.Logger, func()) {}

// resumeSerial has nothing to do either: AUTOINCREMENT watches what is inserted.
func (d *sqliteDB) resumeSerial(context.Context, *session, string, string) error { return nil }

// analyze has nothing to do: SQLite prefers the index that matches every column.
func (d *sqliteDB) analyze(context.Context) error { return nil }

func (d *sqliteDB) retriable(err error) bool {
	return sqliteCode(err) == sqlite3.SQLITE_BUSY
}

// sqliteCode returns the primary result code of an error, or zero.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

func (d *sqliteDB) explain(err error) error {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %s: %w; restore a backup into an empty data folder", ErrCorrupt, d.path, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("no space left for %s: %w", d.path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%s: %w", d.path, err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%s is locked by another program: %w", d.path, err)
	}
	return err
}

func (d *sqliteDB) check(ctx context.Context) error {
	var found string
	err := d.reading.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&found)
	if err == nil && found != "ok" {
		return fmt.Errorf("store: %w: %s: %s; restore a backup into an empty data folder", ErrCorrupt, d.path, found)
	}
	if err != nil {
		return fmt.Errorf("store: check: %w", d.explain(err))
	}
	var table, parent string
	err = d.reading.QueryRowContext(ctx, `SELECT "table", parent FROM pragma_foreign_key_check LIMIT 1`).Scan(&table, &parent)
	if err == nil {
		return fmt.Errorf("store: %w: %s: a row of %s refers to a row of %s that is not there; restore a backup into an empty data folder", ErrCorrupt, d.path, table, parent)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("store: check: %w", d.explain(err))
	}
	return nil
}

// shrink gives free pages back to the file system when they are many: a quarter of
// the file and more than 16 MiB. It works in steps of 4 MiB, between which others write.
func (d *sqliteDB) shrink(ctx context.Context) error {
	const step, keep = 1024, 4096 // pages of 4 KiB
	for {
		ses, err := d.begin(ctx, modeAppend)
		if err != nil {
			return err
		}
		var free, all int64
		err = errors.Join(ses.one(ctx, []any{&free}, `PRAGMA freelist_count`), ses.one(ctx, []any{&all}, `PRAGMA page_count`))
		more := err == nil && free > keep && free > all/4
		if more {
			// It gives back a page per row that is asked for.
			err = ses.query(ctx, func(func(...any) error) error { return nil }, fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, step))
		}
		if err == nil {
			err = ses.control(ctx, "COMMIT")
		} else {
			ses.broken = ses.control(ctx, "ROLLBACK") != nil
		}
		d.end(ses)
		if err != nil || !more {
			return err
		}
	}
}

func (d *sqliteDB) close() error {
	for _, pool := range []chan *session{d.readers, d.writers} {
		for range cap(pool) {
			ses := <-pool // waits for the transaction that has it
			ses.close()
		}
		if pool != nil {
			close(pool)
		}
	}
	var errs []error
	for _, db := range []*sql.DB{d.reading, d.writing} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(append(errs, d.folder.unlock())...)
}
