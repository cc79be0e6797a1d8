package runtime

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withheld are system calls that functions do without. Some reach what no namespace keeps
// apart: keys belong to users, and a function of a server without privileges has the server's
// user. The others open much of the kernel to whoever has no privileges.
var withheld = []uint32{
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_OPEN_BY_HANDLE_AT,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
}

// architectures are the kernel's names of those that the numbers above are for.
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// x32Calls is where the numbers of calls begin that take 32-bit pointers on amd64.
const x32Calls = 0x40000000

// withhold lets the calling thread, and the program that it becomes, make none of those calls,
// nor any of another architecture's: to them the kernel does not have them (seccomp(2)).
// no_new_privs must be set. Kernels without filters are left as they are, and so are
// architectures without a number here.
func withhold() error {
	arch, ok := architectures[goruntime.GOARCH]
	if !ok {
		return nil
	}
	filter := callFilter(arch, goruntime.GOARCH == "amd64")
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("withholding system calls: %w", err)
	}
	return nil
}

// callFilter is the program that judges each system call. It reads struct seccomp_data: the
// number is at 0, the architecture at 4.
func callFilter(arch uint32, x32 bool) []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		least = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		done  = unix.BPF_RET | unix.BPF_K
		none  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	f := []unix.SockFilter{
		{Code: load, K: 4},
		{Code: equal, K: arch, Jt: 1},
		{Code: done, K: none},
		{Code: load, K: 0},
	}
	if x32 {
		f = append(f, unix.SockFilter{Code: least, K: x32Calls, Jf: 1}, unix.SockFilter{Code: done, K: none})
	}
	for _, nr := range withheld {
		f = append(f, unix.SockFilter{Code: equal, K: nr, Jf: 1}, unix.SockFilter{Code: done, K: none})
	}
	return append(f, unix.SockFilter{Code: done, K: unix.SECCOMP_RET_ALLOW})
}
