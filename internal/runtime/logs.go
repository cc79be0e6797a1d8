package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// tailSize is how much of a call's log LogTail has.
const tailSize = 4096

// longestLine bounds a line of a function's log; a longer one is cut into several.
const longestLine = 256 << 10

// logs takes what a sandbox's programs write and hands it on by lines.
type logs struct {
	fn     *Function
	sink   Sink
	group  string
	stream string
	pipe   *os.File
	raw    syscall.RawConn
	closed chan struct{} // when all was read

	mu      sync.Mutex
	partial []byte
	id      string // of the present call
	tail    []byte // of the present call
	buf     [16 << 10]byte
}

// newLogs returns logs and the end of the pipe that programs write to.
func newLogs(fn *Function, sink Sink, stream string) (*logs, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	// Programs may open it again, as /dev/stdout, which goes by the sandbox's user.
	if err := w.Chmod(0o622); err != nil {
		r.Close()
		w.Close()
		return nil, nil, err
	}
	l := &logs{fn: fn, sink: sink, group: fn.LogGroup, stream: stream, pipe: r, closed: make(chan struct{})}
	if l.group == "" {
		l.group = "/aws/lambda/" + fn.Name
	}
	if l.raw, err = r.SyscallConn(); err != nil {
		r.Close()
		w.Close()
		return nil, nil, err
	}
	go l.follow()
	return l, w, nil
}

// follow reads until all writers are gone.
func (l *logs) follow() {
	defer close(l.closed)
	defer l.pipe.Close()
	l.raw.Read(func(fd uintptr) (done bool) { return l.readAll(int(fd)) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.line(string(l.partial))
		l.partial = nil
	}
}

// readAll takes what is in the pipe, without waiting. It reports the pipe's end.
func (l *logs) readAll(fd int) (end bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		n, err := syscall.Read(fd, l.buf[:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return !errors.Is(err, syscall.EAGAIN)
		}
		if n == 0 {
			return true
		}
		l.take(l.buf[:n])
	}
}

// drain takes what was written so far: before a call's log is closed.
func (l *logs) drain() {
	l.raw.Control(func(fd uintptr) { l.readAll(int(fd)) })
}

func (l *logs) take(b []byte) {
	l.partial = append(l.partial, b...)
	for {
		i := bytes.IndexByte(l.partial, '\n')
		if i < 0 && len(l.partial) < longestLine {
			return
		}
		if i < 0 {
			i = longestLine - 1
			l.line(string(l.partial[:i+1]))
		} else {
			l.line(string(bytes.TrimSuffix(l.partial[:i], []byte("\r"))))
		}
		l.partial = append(l.partial[:0], l.partial[i+1:]...)
	}
}

// line hands a line on. The caller holds l.mu.
func (l *logs) line(text string) {
	if l.id != "" {
		l.tail = append(append(l.tail, text...), '\n')
		if len(l.tail) > 4*tailSize {
			l.tail = append(l.tail[:0], l.tail[len(l.tail)-tailSize:]...)
		}
	}
	l.sink.Log(LogLine{Function: l.fn, Group: l.group, Stream: l.stream, RequestID: l.id, Time: time.Now(), Text: text})
}

func (l *logs) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(fmt.Sprintf(format, args...))
}

// write adds a line of the runtime's own. The caller holds l.mu.
func (l *logs) write(line string) {
	if len(l.partial) > 0 { // what a program left without a line end comes before
		l.line(string(l.partial))
		l.partial = l.partial[:0]
	}
	l.line(line)
}

// begin opens the log of a call and has its event handed to the function, whose own lines
// come behind the first one.
func (l *logs) begin(id, version string, hand func()) {
	l.drain()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id, l.tail = id, l.tail[:0]
	hand()
	l.write("START RequestId: " + id + " Version: " + version)
}

// end closes the log of a call and returns its tail.
func (l *logs) end(id, report string) []byte {
	l.drain()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write("END RequestId: " + id)
	l.write(report)
	l.id = ""
	return l.lastLines()
}

// soFar returns the tail of the call's log.
func (l *logs) soFar() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastLines()
}

// lastLines does what soFar does. The caller holds l.mu.
func (l *logs) lastLines() []byte {
	tail := l.tail
	if len(tail) > tailSize {
		tail = tail[len(tail)-tailSize:]
	}
	return bytes.Clone(tail)
}

// report is the line that sums a call up, as Lambda writes it.
func report(id string, took, init time.Duration, memory int, peak int64, failure string) string {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	line := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		id, ms(took), (took+init+time.Millisecond-1)/time.Millisecond, memory, (peak+1<<20-1)>>20)
	if init > 0 {
		line += fmt.Sprintf("Init Duration: %.2f ms\t", ms(init))
	}
	switch failure {
	case "":
	case "Sandbox.Timedout":
		line += "Status: timeout"
	default:
		line += "Status: error\tError Type: " + failure
	}
	return line
}
