package store

import (
	"context"
	"database/sql"
)

// A session is one database connection with a transaction begun and ended by
// plain statements. It is used by one goroutine at a time.
type session struct {
	conn *sql.Conn

	// stmts keeps prepared statements by their text. It is nil where the driver
	// keeps its own (pgx).
	stmts map[string]*sql.Stmt

	// interruptible says that a statement may be cut short by its context. For
	// SQLite it is not: statements are short, and a context that can end costs a
	// goroutine per statement.
	interruptible bool

	// writer says that it holds the one place of those who write.
	writer bool

	// broken says that the transaction could not be ended, so the connection must
	// not be used again.
	broken bool
}

func (s *session) context(ctx context.Context) (context.Context, error) {
	if s.interruptible {
		return ctx, nil
	}
	return context.WithoutCancel(ctx), ctx.Err()
}

func (s *session) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.stmts[query] = stmt
	return stmt, nil
}

// exec runs a statement and returns how many rows it touched.
func (s *session) exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, err := s.context(ctx)
	if err != nil {
		return 0, err
	}
	var res sql.Result
	if s.stmts == nil {
		res, err = s.conn.ExecContext(ctx, query, args...)
	} else {
		var stmt *sql.Stmt
		if stmt, err = s.prepared(ctx, query); err == nil {
			res, err = stmt.ExecContext(ctx, args...)
		}
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query calls row for each result; row calls scan once. No other statement may
// run before query returns, since a connection has one open result at a time.
func (s *session) query(ctx context.Context, row func(scan func(...any) error) error, query string, args ...any) error {
	ctx, err := s.context(ctx)
	if err != nil {
		return err
	}
	var rows *sql.Rows
	if s.stmts == nil {
		rows, err = s.conn.QueryContext(ctx, query, args...)
	} else {
		var stmt *sql.Stmt
		if stmt, err = s.prepared(ctx, query); err == nil {
			rows, err = stmt.QueryContext(ctx, args...)
		}
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one scans the first row into dest; sql.ErrNoRows when there is none.
func (s *session) one(ctx context.Context, dest []any, query string, args ...any) error {
	found := false
	err := s.query(ctx, func(scan func(...any) error) error {
		if found {
			return nil
		}
		found = true
		return scan(dest...)
	}, query, args...)
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

// control runs BEGIN, COMMIT and the like, never cut short by ctx.
func (s *session) control(ctx context.Context, statement string) error {
	ctx = context.WithoutCancel(ctx)
	if s.stmts == nil {
		_, err := s.conn.ExecContext(ctx, statement)
		return err
	}
	stmt, err := s.prepared(ctx, statement)
	if err == nil {
		_, err = stmt.ExecContext(ctx)
	}
	return err
}

func (s *session) close() {
	for _, stmt := range s.stmts {
		stmt.Close()
	}
	s.conn.Close()
}
