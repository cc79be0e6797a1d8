// Package version tells which build of Gatehouse is running.
package version

import "runtime/debug"

// version is stamped by the linker (see the Makefile).
var version string

// String returns the version that was stamped into the binary, else the revision that
// the Go tool recorded, else "unknown".
func String() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
