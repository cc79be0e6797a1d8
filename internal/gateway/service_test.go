package gateway

import (
	"encoding/json"
	"testing"

	"gatehouse/internal/http1/upstream"
)

// FuzzParametersAsBody: whatever a query holds becomes one JSON object that has a member for
// each name, with its last value as text.
func FuzzParametersAsBody(f *testing.F) {
	for _, seed := range []string{"Name=%2Fp&WithDecryption=true", "a=1&a=2", "", "&&", "a", "=", "%00=%ff", "a%22:{}=b\\", "x=%", "true=false"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		req := &upstream.Request{Target: "/?" + query}
		body := parametersAsBody(req, nil)
		if req.Target != "/" {
			t.Errorf("query %q: target %q, want /", query, req.Target)
		}
		var got map[string]any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("query %q: body %q: %v", query, body, err)
		}
		for name := range pairs(query) {
			key, _ := json.Marshal(unescapeQuery(name))
			var text string
			if json.Unmarshal(key, &text) == nil {
				if _, ok := got[text]; !ok {
					t.Errorf("query %q: body %q has no member %q", query, body, text)
				}
			}
		}
		for name, v := range got {
			switch v.(type) {
			case string, bool:
			default:
				t.Errorf("query %q: member %q is %T, want text", query, name, v)
			}
		}
	})
}
