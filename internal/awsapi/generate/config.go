package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed services.json
var servicesJSON []byte

// service says what is generated from one model, and what the model gets wrong or
// leaves out. It is one entry of services.json.
type service struct {
	// Package is the name of the generated package, and the service's name in signatures.
	Package string `json:"package"`
	// SigningName is the service's name in signatures when it is not Package.
	SigningName string `json:"signingName"`
	// Model is the model's file name.
	Model string `json:"model"`
	// Operations are the operations to serve; empty means all. The others become a list of names.
	Operations []string `json:"operations"`
	// AlsoKnown are models of services that share this one's name in signatures and are
	// not served: their operations are known by name only.
	AlsoKnown []string `json:"alsoKnown"`
	// Code is the error code of a request that breaks the model.
	Code string `json:"code"`
	// InputPrefix: such errors name body members "<operation>Input.<path>".
	InputPrefix bool `json:"inputPrefix"`
	// EnumOrder gives the order in which the real service lists the values of an enum.
	EnumOrder map[string]sourced[[]string] `json:"enumOrder"`
	// Status gives success codes that differ from the model's.
	Status map[string]sourced[int] `json:"status"`
	// Errors are errors that the service answers and its model lacks: code to status.
	Errors sourced[map[string]int] `json:"errors"`
	// Roots are the XML root elements of answers that differ from the shape's name.
	Roots sourced[map[string]string] `json:"roots"`
	// WrappedErrors: errors of a REST-XML service are inside an ErrorResponse.
	WrappedErrors bool `json:"wrappedErrors"`
	// Greedy lists operations whose last label takes the rest of the path, slashes
	// and all, because clients send ARNs unescaped there.
	Greedy sourced[[]string] `json:"greedy"`
	// Unwrapped lists operations whose only output member is itself the XML root.
	Unwrapped sourced[[]string] `json:"unwrapped"`
	// Sparse lists members, "Shape.member", that are maps of scalars whose null values are
	// kept, in requests and answers.
	Sparse sourced[[]string] `json:"sparse"`
}

// sourced is a correction together with where it is known from.
type sourced[T any] struct {
	Source string `json:"source"`
	Value  T      `json:"value"`
}

// services returns the entries of services.json.
func services() ([]service, error) {
	var all []service
	if err := json.Unmarshal(servicesJSON, &all); err != nil {
		return nil, fmt.Errorf("services.json: %w", err)
	}
	return all, nil
}

// apply puts the corrections into the model. A correction that finds nothing to
// correct is an error: the model has changed beneath it.
func (s *service) apply(m *model) error {
	for name, order := range s.EnumOrder {
		sh := m.Shapes.get(name)
		if sh == nil || !sameValues(sh.Enum, order.Value) {
			return fmt.Errorf("%s: enumOrder %s: the model's values are %v", s.Package, name, sh)
		}
		sh.Enum = order.Value
	}
	for name, status := range s.Status {
		op := m.Operations.get(name)
		if op == nil || op.HTTP.ResponseCode == status.Value {
			return fmt.Errorf("%s: status of %s: nothing to correct", s.Package, name)
		}
		op.HTTP.ResponseCode = status.Value
	}
	for _, name := range s.Greedy.Value {
		op := m.Operations.get(name)
		if op == nil || !strings.HasSuffix(op.HTTP.RequestURI, "}") || strings.HasSuffix(op.HTTP.RequestURI, "+}") {
			return fmt.Errorf("%s: %s: no label to make greedy", s.Package, name)
		}
		op.HTTP.RequestURI = strings.TrimSuffix(op.HTTP.RequestURI, "}") + "+}"
	}
	for _, name := range s.Sparse.Value {
		shape, member, _ := strings.Cut(name, ".")
		sh := m.Shapes.get(shape)
		if sh == nil || sh.Members.get(member) == nil || m.Shapes.get(sh.Members.get(member).Shape).Type != "map" {
			return fmt.Errorf("%s: %s: no map to make sparse", s.Package, name)
		}
		sh.Members.get(member).Sparse = true
	}
	for _, name := range s.Operations {
		if m.Operations.get(name) == nil {
			return fmt.Errorf("%s: the model has no operation %s", s.Package, name)
		}
	}
	return nil
}

// serves reports whether the operation called name is generated.
func (s *service) serves(name string) bool {
	return len(s.Operations) == 0 || slices.Contains(s.Operations, name)
}

func (s *service) signingName() string {
	if s.SigningName != "" {
		return s.SigningName
	}
	return s.Package
}

func sameValues(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
