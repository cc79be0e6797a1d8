package compile

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A golden input is a stage and the snapshot that it points to, as they are stored.
type goldenInput struct {
	Stage    model.Stage    `json:"stage"`
	Snapshot model.Snapshot `json:"snapshot"`
}

// What the compiler makes of each testdata/*.in.json is in the *.out.txt beside it: a
// reviewer sees what a change of the compiler does. -update rewrites them.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.json")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("golden inputs: %v, %v", inputs, err)
	}
	for _, name := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".in.json"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var in goldenInput
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&in); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := "error: "
			if s, err := Stage("000000000000", "us-east-1", in.Stage, in.Snapshot, Limits{}, Backends{}); err != nil {
				got += err.Error() + "\n"
			} else {
				got = describe(s)
			}
			golden := strings.TrimSuffix(name, ".in.json") + ".out.txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

// describe prints a compiled stage for people.
func describe(s *plan.Stage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "stage %s/%s of %q in %s, account %s, deployment %s\n", s.API.ID, s.Name, s.APIName, s.API.Region, s.Account, s.DeploymentID)
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if s.DefaultEndpointDisabled {
		line("  default endpoint disabled")
	}
	if s.Policy != nil {
		line("  resource policy")
	}
	if s.AccessLog != nil {
		line("  access log to %s", s.AccessLog.Group)
	}
	for t, r := range s.Responses {
		if r != nil {
			line("  gateway response %s: status %d, %d headers, %d templates", plan.ResponseType(t), r.Status, len(r.Header), len(r.Templates))
		}
	}
	describeNode(&b, s.Root, "  ")
	return b.String()
}

func describeNode(b *strings.Builder, n *plan.Node, indent string) {
	if n.Resource != nil {
		fmt.Fprintf(b, "%s%s\n", indent, n.Resource.Path)
		for name, m := range n.Resource.Methods {
			describeMethod(b, name, m, indent+"  ")
		}
	}
	for _, part := range slices.Sorted(maps.Keys(n.Literals)) {
		describeNode(b, n.Literals[part], indent)
	}
	for _, child := range []*plan.Node{n.Variable, n.Greedy} {
		if child != nil {
			describeNode(b, child, indent)
		}
	}
}

func describeMethod(b *strings.Builder, name string, m *plan.Method, indent string) {
	i := m.Integration
	kinds := map[plan.IntegrationType]string{plan.Mock: "MOCK", plan.HTTP: "HTTP", plan.HTTPProxy: "HTTP_PROXY", plan.AWS: "AWS", plan.AWSProxy: "AWS_PROXY"}
	fmt.Fprintf(b, "%s%s %s %s", indent, name, kinds[i.Type], i.Timeout)
	if m.Authorization == plan.AuthorizeIAM {
		b.WriteString(" AWS_IAM")
	}
	b.WriteString("\n")
	line := func(format string, args ...any) { fmt.Fprintf(b, indent+"  "+format+"\n", args...) }
	if m.Refusal != "" {
		line("refused: %s", m.Refusal)
	}
	if i.Broken != "" {
		line("broken: %s", i.Broken)
	}
	if i.Target != nil {
		line("%s to %s, fixed path %q", i.HTTPMethod, i.Target, i.FixedURI)
	}
	if v := m.Validation; v != nil {
		line("requires %v; body checked: %v, models for %v", v.Required, v.Body, slices.Sorted(maps.Keys(v.Models)))
	}
	for _, p := range i.Parameters {
		line("sets %d %s from %d %q", p.To, p.Name, p.From.Source, p.From.Name)
	}
	for _, t := range i.Templates {
		line("request template for %s", t.ContentType)
		if t.Problem != nil {
			line("  which fails: %v", t.Problem)
		}
	}
	for _, r := range i.Responses {
		line("response %d by pattern, %d templates", r.Status, len(r.Templates))
	}
	if i.Default != nil {
		line("response %d by default, %d templates", i.Default.Status, len(i.Default.Templates))
	}
}
