package store

import (
	"strconv"
	"strings"
)

// insertGroup is how many rows one statement inserts. Rest rows go one by one, so
// that a table has two statements to prepare and not one per count.
const insertGroup = 64

// insertAll inserts rows, each with a value per column. A server far away is asked
// once per group, not once per row.
func (tx *Tx) insertAll(table string, columns []string, rows [][]any) error {
	for len(rows) > 0 {
		n := insertGroup
		if len(rows) < n {
			n = 1
		}
		args := make([]any, 0, n*len(columns))
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		if _, err := tx.exec(insertStatement(table, columns, n), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// insertStatement writes INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4).
func insertStatement(table string, columns []string, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ")
	arg := 0
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		for c := range columns {
			b.WriteByte("(,"[min(c, 1)])
			arg++
			b.WriteString("$" + strconv.Itoa(arg))
		}
		b.WriteByte(')')
	}
	return b.String()
}
