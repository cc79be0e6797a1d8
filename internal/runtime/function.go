package runtime

import (
	"context"
	"time"
)

// A Function is a version of a function with all that is needed to run it. It is not
// modified once it was given to a Runner.
type Function struct {
	// Key identifies this code and configuration: calls with the same key share warm
	// processes. Anything that changes must change the key.
	Key string

	ARN     string // as the function sees itself invoked
	Name    string
	Version string // "$LATEST" or a number

	Runtime string // "provided.al2023", "nodejs22.x", "python3.13", …
	Handler string // "file.function" for Node.js and Python
	Code    string // folder with the unpacked code, readable for everybody (deploypkg.Unpack makes such)
	Layers  string // folder with the unpacked layers, later ones over earlier ones; "" without
	Env     map[string]string

	Memory      int           // MB, 128 to 10240
	Timeout     time.Duration // 1 s to 15 min
	Storage     int           // MB of /tmp; 0 means 512
	Concurrency int           // calls at a time; 0 means the Runner's limit

	Region    string
	LogGroup  string // "" means /aws/lambda/NAME
	LogStream string // "" lets every process have its own

	// Credentials returns the execution role's credentials when a process starts; nil runs it
	// without any. They should last for three hours: a process takes no calls after two.
	Credentials func(ctx context.Context) (Credentials, error)
}

// Credentials of an execution role.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
}

// A Request is one call.
type Request struct {
	ID            string // request id; "" makes one
	Payload       []byte // JSON; nil means {}
	ClientContext string // JSON, as decoded from the call's header
	TraceID       string // the value of X-Amzn-Trace-Id
	InvokedARN    string // with the qualifier that was used; "" means the function's ARN
	Tail          bool   // Result.LogTail is wanted; without it an answer need not wait for its log

	// Ended, when set, is called once when the function has answered or failed, which may be
	// after the caller left, and for a streamed answer at its end. It is not called when
	// Invoke refuses.
	Ended func()
}

// A Result is what a call came to. A function that failed is a result, not an error.
type Result struct {
	RequestID string
	Version   string // that was executed
	Payload   []byte // the answer, or a document with errorType and errorMessage

	// FunctionError is "Unhandled" when the function failed, "" otherwise, as in the
	// header X-Amz-Function-Error.
	FunctionError string

	LogTail []byte        // the last 4 KB of the call's log, of failed calls always
	Took    time.Duration // from event to answer, without the start of a process
	Init    time.Duration // the start of the process; 0 when it was warm
	Memory  int64         // most bytes of memory that the process had, as far as measured
}

// MaxPayload is the largest event and the largest answer of a synchronous call, in bytes.
const MaxPayload = 6291556

// MaxAsyncPayload is the largest event of an asynchronous call.
const MaxAsyncPayload = 1 << 20

// MaxStream is the largest streamed answer.
const MaxStream = 200 << 20

// A Sink receives functions' logs, a line at a time without its line end. It is called
// from many goroutines and must not block for long.
type Sink interface {
	Log(line LogLine)
}

// A LogLine is a line that a function wrote, or that the runtime wrote about it.
type LogLine struct {
	Function  *Function
	Group     string
	Stream    string
	RequestID string // "" outside of calls
	Time      time.Time
	Text      string
}

type discard struct{}

func (discard) Log(LogLine) {}
