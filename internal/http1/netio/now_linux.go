//go:build linux && !race

package netio

import (
	"syscall"
	"unsafe"
)

// The calls of this file never wait, since sockets are in non-blocking mode, so the
// scheduler need not know of them. To tell it costs more than the time that this takes: the
// runtime's monitor thread, which takes the processor away from calls that last, sleeps
// while a process is idle and is woken by the first announced call. It then looks every 20
// µs for a while, and in a process on one core each look interrupts the work. For a
// handshake on a half-busy core that was a tenth of the cost.
//
// The race detector learns from the announced calls what happened before what, so its
// builds use those.

// longest is how many bytes are copied to or from the kernel unannounced at most.
const longest = 64 << 10

// readNow reads what there is; it fails with EAGAIN when there is nothing.
func readNow(fd uintptr, p []byte) (int, error) {
	if len(p) == 0 || len(p) > longest {
		n, err := syscall.Read(int(fd), p)
		return max(n, 0), err
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return outcome(n, errno)
}

// writeNow writes what fits into the socket's buffer; it fails with EAGAIN when nothing does.
func writeNow(fd uintptr, p []byte) (int, error) {
	if len(p) == 0 || len(p) > longest {
		n, err := syscall.Write(int(fd), p)
		return max(n, 0), err
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return outcome(n, errno)
}

// peekNow reads what there is and leaves it there.
func peekNow(fd uintptr, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return outcome(n, errno)
}

// outcome is the result of a call in Go's terms.
func outcome(n uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
