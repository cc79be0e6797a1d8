package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMachineMemory(t *testing.T) {
	const meminfo, v1, v2 = "proc/meminfo", "sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory.max"
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing to read":    {nil, 0},
		"a machine":          {map[string]string{meminfo: "MemTotal:       1024 kB\nMemFree: 5 kB\n"}, 1 << 20},
		"a container":        {map[string]string{meminfo: "MemTotal: 1024 kB\n", v2: "524288\n"}, 512 << 10},
		"an old container":   {map[string]string{meminfo: "MemTotal: 1024 kB\n", v1: "524288\n"}, 512 << 10},
		"one without limits": {map[string]string{meminfo: "MemTotal: 1024 kB\n", v2: "max\n"}, 1 << 20},
		"a limit beyond all": {map[string]string{meminfo: "MemTotal: 1024 kB\n", v1: "9223372036854771712\n"}, 1 << 20},
		"no numbers":         {map[string]string{meminfo: "MemTotal: lots kB\n", v2: "some\n"}, 0},
	} {
		root := t.TempDir()
		for file, text := range tt.files {
			at := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := machineMemory(root); got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
}

func TestMemoryDefaults(t *testing.T) {
	c := Defaults()
	c.Limits.Memory = 800
	if got := c.BodyMemory(); got != 100 {
		t.Errorf("body memory of a limit of 800: got %d, want 100", got)
	}
	c.Limits.BodyMemory = 7
	if c.BodyMemory() != 7 || c.MemoryLimit() != 800 {
		t.Errorf("what is configured: got %d and %d, want 7 and 800", c.BodyMemory(), c.MemoryLimit())
	}
}
