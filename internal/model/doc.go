// Package model holds the resources that management calls create and the compiler
// reads: REST APIs and what belongs to them, domain names, keys, plans and
// certificates, with their ARNs and invariants. It does no I/O and knows no other
// package of Gatehouse.
//
// Resources are stored as JSON documents. Member names in JSON are those of the AWS
// API, so that a document reads like the answer of the operation that shows it; the
// wire types are generated elsewhere and converted by the control plane. Values are
// plain data: whoever loads a document owns it.
//
// Throughout, an absent optional member is the zero value ("" or nil); members whose
// zero value means something else than absence are pointers.
package model
