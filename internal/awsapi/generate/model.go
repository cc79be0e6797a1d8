package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// model is a service model file, as far as the generator reads it. Where the order of
// a JSON object matters, it is kept.
type model struct {
	Metadata   metadata                `json:"metadata"`
	Operations ordered[modelOperation] `json:"operations"`
	Shapes     ordered[modelShape]     `json:"shapes"`
}

type metadata struct {
	APIVersion      string `json:"apiVersion"`
	EndpointPrefix  string `json:"endpointPrefix"`
	Protocol        string `json:"protocol"`
	ServiceFullName string `json:"serviceFullName"`
	TargetPrefix    string `json:"targetPrefix"`
	XMLNamespace    string `json:"xmlNamespace"`
}

type modelOperation struct {
	Name string `json:"name"`
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input, Output *modelMember
	Errors        []modelMember
}

type modelShape struct {
	Type         string               `json:"type"`
	Members      ordered[modelMember] `json:"members"`
	Required     []string             `json:"required"`
	Member       *modelMember         `json:"member"`
	Key, Value   *modelMember
	Payload      string      `json:"payload"`
	Enum         []string    `json:"enum"`
	Pattern      string      `json:"pattern"`
	Min, Max     json.Number // numbers, sometimes written as 1.0
	Union        bool        `json:"union"`
	Streaming    bool        `json:"streaming"`
	EventStream  bool        `json:"eventstream"`
	Sensitive    bool        `json:"sensitive"`
	Flattened    bool        `json:"flattened"`
	Time         string      `json:"timestampFormat"`
	LocationName string      `json:"locationName"`
	XMLNamespace xmlSpace    `json:"xmlNamespace"`
	Exception    bool        `json:"exception"`
	Fault        bool        `json:"fault"`
	Error        struct {
		Code       string `json:"code"`
		HTTPStatus int    `json:"httpStatusCode"`
	} `json:"error"`
}

type modelMember struct {
	Sparse        bool     `json:"-"` // null values of a map are kept
	Shape         string   `json:"shape"`
	Location      string   `json:"location"`
	LocationName  string   `json:"locationName"`
	ResultWrapper string   `json:"resultWrapper"`
	Streaming     bool     `json:"streaming"`
	Flattened     bool     `json:"flattened"`
	Token         bool     `json:"idempotencyToken"`
	XMLAttribute  bool     `json:"xmlAttribute"`
	XMLNamespace  xmlSpace `json:"xmlNamespace"`
	Time          string   `json:"timestampFormat"`
}

// xmlSpace is a namespace; models write it as an object or as a plain string.
type xmlSpace struct{ Prefix, URI string }

func (x *xmlSpace) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &x.URI)
	}
	type plain xmlSpace
	return json.Unmarshal(b, (*plain)(x))
}

// ordered is a JSON object whose order is kept.
type ordered[T any] struct {
	names  []string
	byName map[string]*T
}

func (o *ordered[T]) get(name string) *T { return o.byName[name] }

func (o *ordered[T]) add(name string, v *T) {
	if o.byName == nil {
		o.byName = map[string]*T{}
	}
	if _, ok := o.byName[name]; !ok {
		o.names = append(o.names, name)
	}
	o.byName[name] = v
}

func (o *ordered[T]) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		v := new(T)
		if err := dec.Decode(v); err != nil {
			return fmt.Errorf("%v: %w", name, err)
		}
		o.add(name.(string), v)
	}
	_, err := dec.Token()
	return err
}

// readModel reads a model file and checks that every shape it names is there.
func readModel(path string) (*model, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(model)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range m.Shapes.names {
		if sh := m.Shapes.get(name); sh.EventStream {
			// Operations frame events themselves: to the codecs a stream of them is bytes.
			*sh = modelShape{Type: "blob", Streaming: true, EventStream: true}
		}
	}
	for _, name := range m.Shapes.names {
		for _, ref := range m.Shapes.get(name).references() {
			if m.Shapes.get(ref) == nil {
				return nil, fmt.Errorf("%s: shape %s refers to %s, which is missing", path, name, ref)
			}
		}
	}
	return m, nil
}

// references lists the shapes that s is made of, in order.
func (s *modelShape) references() []string {
	var refs []string
	for _, name := range s.Members.names {
		refs = append(refs, s.Members.get(name).Shape)
	}
	for _, m := range []*modelMember{s.Member, s.Key, s.Value} {
		if m != nil {
			refs = append(refs, m.Shape)
		}
	}
	return refs
}

// requires reports whether the member called name must be present.
func (s *modelShape) requires(name string) bool {
	for _, r := range s.Required {
		if r == name {
			return true
		}
	}
	return false
}

// scalar reports whether a member of this shape is a pointer in Go.
func (s *modelShape) scalar() bool {
	switch s.Type {
	case "structure", "list", "map", "blob":
		return false
	}
	return true
}

// limit turns a bound of the model into a whole number; models write some as 1.0.
func limit(n json.Number) string {
	return strings.TrimSuffix(n.String(), ".0")
}
