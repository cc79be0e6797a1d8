package runtime

import "net"

// sandboxSpec tells the first process of a sandbox what to make. It comes over the
// control socket, never through arguments or the environment.
type sandboxSpec struct {
	Contained bool // false: run with the server's rights, in its namespaces

	Root    string  // an empty folder of the server's on which the sandbox's root is mounted
	Mounts  []mount // what of the host is visible, read-only
	Files   []file  // small files of the sandbox's own
	Storage int64   // bytes of /tmp

	Listen   []string // addresses inside the sandbox whose listeners the server gets
	Programs []program

	listeners []net.Listener // the server's own, when not contained
	Dir       string         // working folder of the programs

	Memory    int64 // bytes that all processes together may have resident
	Processes uint64
	OpenFiles uint64
}

// mount makes a host path visible in the sandbox.
type mount struct {
	From, To string
	Optional bool // left out when From does not exist
}

// file is written into the sandbox.
type file struct {
	Path string
	Mode uint32
	Data []byte
}

// program is started when the server says so. The first one is the
// runtime, the others are extensions.
type program struct {
	Path string
	Args []string
	Env  []string
}

// launchSpec tells the second process what to give up before it becomes a program.
type launchSpec struct {
	Contained bool
	Program   program
	Dir       string
	Memory    uint64
	Processes uint64
	OpenFiles uint64
}

// notice is a message of a sandbox's first process.
type notice struct {
	Kind   string // ready, failed, exited, memory
	Error  string `json:",omitempty"` // failed: why
	Index  int    `json:",omitempty"` // exited: which program
	Status string `json:",omitempty"` // exited: how, as os.ProcessState prints it
	Peak   int64  `json:",omitempty"` // bytes; with memory: the limit was passed
}

// Commands to a sandbox's first process, a byte each.
const (
	cmdExtensions = 'E' // start all programs but the runtime
	cmdRuntime    = 'R' // start the runtime
	cmdFreeze     = 'F' // stop all programs
	cmdThaw       = 'T' // let them go on
	cmdKill       = 'K' // end all programs at once
	cmdTerm       = 'Q' // ask them to end
)
