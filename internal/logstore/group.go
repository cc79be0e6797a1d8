package logstore

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// A Group names a log group. Its parts must not contain line feeds.
type Group struct {
	Account, Region string
	Name            string
}

func (g Group) encode() string { return g.Account + "\n" + g.Region + "\n" + g.Name }

func parseGroup(s string) (Group, bool) {
	p := strings.Split(s, "\n")
	if len(p) != 3 || p[2] == "" {
		return Group{}, false
	}
	return Group{p[0], p[1], p[2]}, true
}

// folder is the name of the folder that holds the group: names of groups have slashes and
// may differ in case alone, so the folder is named by a hash.
func (g Group) folder() string {
	sum := sha256.Sum256([]byte(g.encode()))
	return hex.EncodeToString(sum[:16])
}

// A Position is the place of an event in the order of its group: by time, and events of the
// same time in the order in which they were written.
type Position struct {
	Time int64  // milliseconds since 1970
	Seq  uint64 // counts the events and other records of the group
}

// Before reports whether p comes before q.
func (p Position) Before(q Position) bool {
	return p.Time < q.Time || p.Time == q.Time && p.Seq < q.Seq
}

// An Event is one line of a stream.
type Event struct {
	Position
	Ingested int64 // milliseconds since 1970
	Stream   string
	Message  string
}

// A Stream tells what is known about a stream.
type Stream struct {
	Name     string
	Created  int64 // all times in milliseconds since 1970
	First    int64 // of the earliest event; 0 when it has none
	Last     int64
	Ingested int64 // when the last event came
	Bytes    int64 // of its events' messages

	deleted uint64 // records before this number are gone
	exists  bool
}
