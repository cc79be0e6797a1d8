// Package places finds the country, region and autonomous system of addresses in databases
// in MaxMind's format, which the operator supplies.
//
// The server opens the databases once, when it starts; web ACLs ask them for each request.
// A Places is safe for concurrent use. Looking up an address allocates only the first time
// that a record of the database is met.
package places

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Places implements wafrules.Geography.
type Places struct {
	countries, systems *maxminddb.Reader // nil when there is no such database

	mu      sync.RWMutex
	known   map[uintptr]place // by offset of the record in countries
	numbers map[uintptr]uint32
}

type place struct{ country, region string }

// Open opens a database of countries (or cities) and one of autonomous systems. Web ACLs
// ask for both, so both are needed. The files must stay unchanged in place: replace
// them by renaming, and restart.
func Open(countries, systems string) (*Places, error) {
	p := &Places{known: map[uintptr]place{}, numbers: map[uintptr]uint32{}}
	var err error
	if p.countries, err = open(countries, "country"); err != nil {
		return nil, err
	}
	if p.systems, err = open(systems, "autonomous_system_number"); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// open opens a database and checks, by its first record, that it is of the wanted sort.
func open(file, member string) (*maxminddb.Reader, error) {
	db, err := maxminddb.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for result := range db.Networks() {
		var found any
		if err := result.DecodePath(&found, member); err != nil {
			db.Close()
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if found != nil {
			return db, nil
		}
	}
	db.Close()
	return nil, fmt.Errorf("%s: no record has %q: want another sort of database, found %q", file, member, db.Metadata.DatabaseType)
}

// Close lets go of the files.
func (p *Places) Close() {
	for _, db := range []*maxminddb.Reader{p.countries, p.systems} {
		if db != nil {
			db.Close()
		}
	}
}

// Country returns the ISO codes of the address's country and region, "" for what is not
// known. The region comes without the country: "BY".
func (p *Places) Country(a netip.Addr) (country, region string) {
	result := p.countries.Lookup(a.Unmap())
	if result.Err() != nil || !result.Found() {
		return "", ""
	}
	at := result.Offset()
	p.mu.RLock()
	found, ok := p.known[at]
	p.mu.RUnlock()
	if !ok {
		found = p.readPlace(result)
	}
	return found.country, found.region
}

// readPlace reads a record and remembers it. One that cannot be read knows nothing.
func (p *Places) readPlace(result maxminddb.Result) place {
	var found place
	_ = result.DecodePath(&found.country, "country", "iso_code")
	_ = result.DecodePath(&found.region, "subdivisions", 0, "iso_code")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[result.Offset()] = found
	return found
}

// ASN returns the number of the address's autonomous system, 0 when it is not mapped.
func (p *Places) ASN(a netip.Addr) uint32 {
	result := p.systems.Lookup(a.Unmap())
	if result.Err() != nil || !result.Found() {
		return 0
	}
	at := result.Offset()
	p.mu.RLock()
	number, ok := p.numbers[at]
	p.mu.RUnlock()
	if !ok {
		number = p.readNumber(result)
	}
	return number
}

// readNumber is readPlace for autonomous systems.
func (p *Places) readNumber(result maxminddb.Result) uint32 {
	var number uint32
	_ = result.DecodePath(&number, "autonomous_system_number")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.numbers[result.Offset()] = number
	return number
}
