// Package schema describes AWS services as data: the shapes of their messages, the
// constraints on them, and the operations with their routes. The tables are generated
// from the models (internal/awsapi/gen/...); the codecs, the validator and the
// dispatcher are written once and walk these tables.
//
// A structure shape and its Go type are laid out alike: member i of the shape is
// field i of the struct. Codecs rely on it and a test of every generated package
// checks it.
//
// A Service is immutable once Link has returned and is then safe for concurrent use.
package schema

import (
	"context"
	"fmt"
	"reflect"
	"strings"
)

// A Protocol is the way a service's messages travel.
type Protocol uint8

// The protocols that Gatehouse speaks.
const (
	RESTJSON Protocol = iota + 1 // apigateway, lambda
	JSON11                       // acm, wafv2, logs: POST / with X-Amz-Target
	Query                        // iam, sts: form in, XML out
	RESTXML                      // s3
)

// A Kind is the type of a shape.
type Kind uint8

// The kinds of shape and their Go types. Scalars are pointers as structure members
// (nil: absent) and values as list elements and map values.
const (
	String    Kind = iota + 1 // string, or a named string type when the shape has an enum
	Boolean                   // bool
	Integer                   // int32
	Long                      // int64
	Float                     // float32
	Double                    // float64
	Timestamp                 // time.Time
	Blob                      // []byte; io.ReadCloser when streaming
	List                      // slice; nil: absent
	Map                       // map with string keys; nil: absent
	Structure                 // pointer to struct as member, struct as element
)

// A Location says where in a message a member of an input or output travels.
type Location uint8

// The locations. Only members of operation inputs, outputs and errors have one other
// than Body.
const (
	Body       Location = iota
	URI                 // a label of the path
	QueryParam          // a query string parameter
	QueryRest           // a map: every query parameter that nothing else names
	Header              // a header
	Headers             // a map: all headers with a prefix
	StatusCode          // the HTTP status of the answer
)

// A TimeFormat is how a timestamp is written.
type TimeFormat uint8

// The timestamp formats. DefaultTime leaves the choice to the protocol and location.
const (
	DefaultTime TimeFormat = iota
	EpochSeconds
	ISO8601
	HTTPDate
	ISO8601Millis // with milliseconds even when they are zero: S3's documents
)

// A Limit is a bound on a length, a size or a value; the zero Limit bounds nothing.
type Limit struct {
	Set bool
	N   int64
}

// Is returns a Limit of n.
func Is(n int64) Limit { return Limit{true, n} }

// A Shape is one type of a service's model.
type Shape struct {
	Name      string
	Kind      Kind
	Members   []Member // of a structure, in the model's order
	Key, Elem *Member  // of a map; of a list or map
	Payload   string   // name of the member that is the whole body; "" when there is none
	Enum      []string // in the order in which the service lists them in errors
	Pattern   string   // as the service prints it; see Pattern.Match
	Min, Max  Limit    // of a number's value, or of the length of anything else
	Union     bool     // exactly one member may be set
	Streaming bool     // a blob that is not held in memory
	Events    bool     // a streaming blob of framed events (package eventstream), sent as they come
	Sensitive bool     // the value must not be logged
	Flattened bool     // XML and Query: elements without an enclosing element
	Time      TimeFormat
	XMLName   string // XML root element, "" for the shape's name
	XMLPrefix string // XML: prefix of the namespace declared on elements of this shape
	XMLSpace  string // XML: namespace declared on elements of this shape
}

// A Member is a member of a structure, the element of a list, or the key or value of a map.
type Member struct {
	Name      string // the model's name, used in errors; "" for elements
	Wire      string // the name on the wire
	Type      string // name of the shape
	Loc       Location
	Required  bool
	Streaming bool
	Flattened bool
	Token     bool // an idempotency token: clients fill it in
	XMLAttr   bool
	XMLSpace  string
	Time      TimeFormat

	Shape *Shape // the shape called Type, set by Link
}

// An Operation is one call of a service.
type Operation struct {
	Name   string
	Method string // HTTP method; REST protocols only
	URI    string // path template with labels in braces, and fixed query parameters
	Status int    // of a success
	Input  string // name of the shape; never ""
	Output string // name of the shape; never ""
	// InputRoot is the XML element of the input when it is not a payload member.
	InputRoot string
	// OutputRoot is the XML element of the answer. In the Query protocol "" means that
	// there is none, in REST-XML that it is called like the shape.
	OutputRoot string
	// Unwrapped: the only body member of the output is itself the XML root.
	Unwrapped bool
	Handler   Handler

	Service *Service // set by Link
	In, Out *Shape   // set by Link
}

// A Handler makes an operation's input and calls its backend.
type Handler struct {
	in   reflect.Type
	call func(backend any, ctx context.Context, in any) (any, error)
}

// Bind makes the Handler of a method expression such as Backend.CreateRestApi.
// I and O are pointers to structs.
func Bind[B, I, O any](method func(B, context.Context, I) (O, error)) Handler {
	return Handler{
		in: reflect.TypeFor[I]().Elem(),
		call: func(backend any, ctx context.Context, in any) (any, error) {
			return method(backend.(B), ctx, in.(I))
		},
	}
}

// New returns a pointer to an empty input.
func (h Handler) New() any { return reflect.New(h.in).Interface() }

// Call calls the backend with an input that New made. The answer is a pointer to the
// output, possibly a nil one when the operation answers nothing.
func (h Handler) Call(ctx context.Context, backend, in any) (any, error) {
	return h.call(backend, ctx, in)
}

// An ErrorShape describes a modelled exception.
type ErrorShape struct {
	Code    string // as sent
	Members []Member
}

// A Service is one AWS service, or the part of it that Gatehouse knows.
type Service struct {
	Name          string // as signed: "apigateway"
	FullName      string // "Amazon API Gateway"
	APIVersion    string // "2015-07-09"
	Protocol      Protocol
	TargetPrefix  string // JSON11: "AWSWAF_20190729"
	XMLNamespace  string // Query, RESTXML
	Operations    []Operation
	Other         []Other // operations of the model that Gatehouse does not serve
	Shapes        []Shape
	Errors        []ErrorShape
	Convention    Convention
	WrappedErrors bool // RESTXML: errors are wrapped in ErrorResponse (S3 Control)
	operations    map[string]*Operation
	shapes        map[string]*Shape
	errors        map[string]*ErrorShape
}

// Other is an operation that the model has and Gatehouse does not serve; it is kept
// so that a call of it is refused by its name.
type Other struct{ Name, Method, URI string }

// A Convention is how a service reports a request that breaks its model.
type Convention struct {
	// Code of the error: ValidationException, InvalidParameterException, ValidationError.
	Code string
	// InputPrefix: body members are named "<operation>Input.<path>".
	InputPrefix bool
}

// Operation returns the operation called name, or nil.
func (s *Service) Operation(name string) *Operation { return s.operations[name] }

// Shape returns the shape called name, or nil.
func (s *Service) Shape(name string) *Shape { return s.shapes[name] }

// Error returns the shape of the exception with this code, or nil.
func (s *Service) Error(code string) *ErrorShape { return s.errors[code] }

// Link resolves the names in the tables to pointers. It panics when a table names a
// shape that is not there: generated tables never do.
func (s *Service) Link() *Service {
	s.shapes = make(map[string]*Shape, len(s.Shapes))
	for i := range s.Shapes {
		s.shapes[s.Shapes[i].Name] = &s.Shapes[i]
	}
	for i := range s.Shapes {
		sh := &s.Shapes[i]
		s.linkMembers(sh.Name, sh.Members)
		if sh.Elem != nil {
			s.linkMember(sh.Name, sh.Elem)
		}
		if sh.Key != nil {
			s.linkMember(sh.Name, sh.Key)
		}
	}
	s.operations = make(map[string]*Operation, len(s.Operations))
	for i := range s.Operations {
		op := &s.Operations[i]
		op.Service = s
		op.In, op.Out = s.mustShape(op.Name, op.Input), s.mustShape(op.Name, op.Output)
		s.operations[op.Name] = op
	}
	s.errors = make(map[string]*ErrorShape, len(s.Errors))
	for i := range s.Errors {
		e := &s.Errors[i]
		s.linkMembers(e.Code, e.Members)
		s.errors[e.Code] = e
	}
	return s
}

func (s *Service) linkMembers(in string, members []Member) {
	for i := range members {
		s.linkMember(in, &members[i])
	}
}

// linkMember also fills in what the tables leave out: the wire name when it is the name,
// and S3's way to write timestamps.
func (s *Service) linkMember(in string, m *Member) {
	if m.Wire == "" {
		m.Wire = m.Name
	}
	m.Shape = s.mustShape(in, m.Type)
	if s.Protocol == RESTXML && m.Loc == Body && m.Shape.Kind == Timestamp && m.Time == DefaultTime && m.Shape.Time != HTTPDate {
		m.Time = ISO8601Millis
	}
}

func (s *Service) mustShape(in, name string) *Shape {
	sh := s.shapes[name]
	if sh == nil {
		panic(fmt.Sprintf("schema: %s: %s names shape %q, which the table lacks", s.Name, in, name))
	}
	return sh
}

// PayloadMember returns the member that is the whole body and its index, or nil.
func (sh *Shape) PayloadMember() (*Member, int) {
	if sh.Payload == "" {
		return nil, -1
	}
	for i := range sh.Members {
		if sh.Members[i].Name == sh.Payload {
			return &sh.Members[i], i
		}
	}
	return nil, -1
}

// IsStreaming reports whether the member is a blob that is not held in memory.
func (m *Member) IsStreaming() bool { return m.Streaming || m.Shape.Streaming }

// IsFlattened reports whether the elements of the member have no enclosing element.
func (m *Member) IsFlattened() bool { return m.Flattened || m.Shape.Flattened }

// LowerFirst returns name with its first letter in lower case, as the services write
// operation and member names in errors.
func LowerFirst(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToLower(name[:1]) + name[1:]
}

// Bound is a service together with the backend that serves it.
type Bound struct {
	Service  *Service
	Backend  any // the service's Backend interface
	Fallback any // the generated type that refuses every operation
}

// Member returns the member of the exception called name, or nil; e may be nil.
func (e *ErrorShape) Member(name string) *Member {
	if e == nil {
		return nil
	}
	for i := range e.Members {
		if e.Members[i].Name == name {
			return &e.Members[i]
		}
	}
	return nil
}

// WireName is the name under which the member called name is sent; e may be nil.
func (e *ErrorShape) WireName(name string) string {
	if m := e.Member(name); m != nil {
		return m.Wire
	}
	return name
}

// MessageName is the name under which the message is sent: "message", or as the model
// spells it; e may be nil.
func (e *ErrorShape) MessageName() string {
	if e != nil {
		for i := range e.Members {
			if strings.EqualFold(e.Members[i].Name, "message") {
				return e.Members[i].Wire
			}
		}
	}
	return "message"
}
