package wire

// An Error says why a message is refused. Values are compared by identity; the texts
// name the rule and never repeat what the peer sent.
type Error struct {
	// Status is the response status that a server answers with.
	Status int

	// Reason says what was found, for logs and for the body of the answer.
	Reason string
}

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

func bad(reason string) *Error { return &Error{400, reason} }

// What can be wrong with a head.
var (
	ErrBareLF       = bad("line ends in LF without CR")
	ErrEmptyLine    = bad("empty line before the start line")
	ErrRequestLine  = bad("request line is not: method SP target SP version")
	ErrMethod       = bad("method is not made of capital letters")
	ErrTarget       = bad("request target is not valid")
	ErrPath         = bad("path has an escape that is not complete, or one of NUL")
	ErrVersion      = bad("version is not HTTP/1.1 or HTTP/1.0")
	ErrStatusLine   = bad("status line is not: version SP status SP reason")
	ErrFold         = bad("header line begins with white space")
	ErrNoColon      = bad("header line has no colon")
	ErrName         = bad("header name is not a token")
	ErrValue        = bad("header value contains a control character")
	ErrTab          = bad("tab around the value of a field that decides framing or routing")
	ErrTargetLong   = &Error{414, "request target is too long"}
	ErrFieldsLarge  = &Error{431, "header is too large"}
	ErrTooManyLines = &Error{431, "header has too many lines"}
)

// What can be wrong with a chunked body.
var (
	ErrChunkSize      = bad("chunk size is not hexadecimal digits ended by CRLF")
	ErrChunkSizeLarge = bad("chunk size is too large")
	ErrChunkExtension = bad("chunk extension is not valid")
	ErrChunkEnd       = bad("chunk data is not ended by CRLF")
	ErrChunkOverhead  = bad("chunk extensions are too long")
	ErrTrailerName    = bad("trailer must not carry this field")
)
