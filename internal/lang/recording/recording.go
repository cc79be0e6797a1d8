// Package recording compares our languages with other programs that speak them: their
// answers are recorded by hand, where these programs are, and tests read the recording.
package recording

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// An Answer is what the other program said to an input, nil when it could say nothing.
type Answer struct {
	Input  string
	Output *string
}

// Make gives a program the inputs, as a JSON list on its standard input, and writes the
// answers to file. The program prints a list of texts, null where it has none.
func Make(t *testing.T, file string, inputs []string, program string, args ...string) {
	t.Helper()
	in, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var outputs []*string
	if err := json.Unmarshal(out, &outputs); err != nil {
		t.Fatal(err)
	}
	if len(outputs) != len(inputs) {
		t.Fatalf("%s gave %d answers to %d inputs", program, len(outputs), len(inputs))
	}
	lines := make([]string, len(inputs))
	for i := range inputs {
		line, err := json.Marshal(Answer{inputs[i], outputs[i]})
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = string(line)
	}
	if err := os.WriteFile(file, []byte("[\n"+strings.Join(lines, ",\n")+"\n]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Read returns the answers in file.
func Read(t *testing.T, file string) (all []Answer) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}
