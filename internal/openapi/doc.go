// Package openapi turns an OpenAPI 2.0 or 3.0 document with API Gateway's extensions into an
// API, and an API back into such a document (openapi-extensions). It is a pure function of
// its input: no store, no clock, no network. The operations of package restapis apply what it
// read, and hand it what is to be exported; the command import asks it what a file holds.
//
// A document is foreign input. It is read whole into one ordered tree with limits on its
// length, its depth and what YAML aliases may expand to; whatever has the wrong shape is
// refused with its place. Everything here is safe for concurrent use.
package openapi

import "gatehouse/internal/model"

// An API is everything about an API that a document carries. Where an API was read from a
// document, ids are not known yet: resources have none, and methods name their authorizer
// and request validator instead of giving an id.
type API struct {
	model.Snapshot
	Documentation        []model.DocumentationPart
	DocumentationVersion string // "" for none
}
