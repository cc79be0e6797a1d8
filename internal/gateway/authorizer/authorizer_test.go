package authorizer

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/lang/iampolicy"
)

const allowAll = `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}%s}`

func TestAnswerValues(t *testing.T) {
	a, err := ParseAnswer(fmt.Sprintf(allowAll, `,"context":{"s":"é\"","i":1,"big":12345678901234567890,"f":1.5,"e":1e3,"t":true,"n":null,"s":"last"},"usageIdentifierKey":"k"`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Pair{{"s", "last"}, {"i", "1"}, {"big", "12345678901234567890"}, {"f", "1.5"}, {"e", "1000.0"}, {"t", "true"}}
	if diff := cmp.Diff(want, a.Context); diff != "" || a.Principal != "me" || a.UsageKey != "k" {
		t.Errorf("%+v\n%s", a, diff)
	}
}

// TestAnswerErrors: the words of the execution log.
func TestAnswerErrors(t *testing.T) {
	for text, want := range map[string]string{
		`null`: "Could not parse policy",
		fmt.Sprintf(allowAll, `,"errorType":"x"`):    `Invalid JSON in response: Unrecognized field "errorType" , not marked as ignorable`,
		fmt.Sprintf(allowAll, `,"context":[1]`):      "Invalid JSON in response: Can not deserialize instance of java.util.Map out of a JSON array: context",
		fmt.Sprintf(allowAll, `,"context":{"a":{}}`): "Invalid JSON in response: Can not deserialize instance of java.lang.String out of a JSON object: context.a",
		strings.Repeat(" ", MaxAnswer+1):             "Invalid JSON in response: found 262145 bytes, expected at most 262144",
	} {
		_, err := ParseAnswer(text)
		var e *Error
		if !errors.As(err, &e) || e.Log != want {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}

// FuzzParseAnswer: what is accepted is JSON with a policy that parses by itself, a principal,
// nothing unknown, and context values that are the text of scalars.
func FuzzParseAnswer(f *testing.F) {
	for _, s := range []string{fmt.Sprintf(allowAll, ""), fmt.Sprintf(allowAll, `,"context":{"a":1,"principalId":"x"}`), `{"principalId":"","policyDocument":{}}`, `null`, `{"a":`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAnswer(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Log == "" {
				t.Fatalf("error without words: %v", err)
			}
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			t.Fatalf("accepted what is no JSON: %v", err)
		}
		for name := range members {
			if name != "principalId" && name != "policyDocument" && name != "context" && name != "usageIdentifierKey" {
				t.Fatalf("accepted the member %q", name)
			}
		}
		if _, err := iampolicy.Parse(a.Document, iampolicy.Authorizer); err != nil {
			t.Fatalf("accepted a policy that does not parse: %v", err)
		}
		var values map[string]any
		if members["context"] != nil {
			if err := json.Unmarshal(members["context"], &values); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range a.Context {
			if reserved[p.Name] {
				t.Fatalf("kept the reserved name %q", p.Name)
			}
			switch v := values[p.Name].(type) {
			case bool:
				if p.Value != fmt.Sprint(v) {
					t.Fatalf("%q is %q", p.Name, p.Value)
				}
			case string, float64:
			default:
				t.Fatalf("kept %q, which is %v", p.Name, v)
			}
		}
	})
}

func key(parts ...string) Key {
	b := NewKey(nil, "m")
	for _, p := range parts {
		b.Begin(1)
		b.Add(p)
	}
	return b.Key()
}

func answer(size int) *Answer { return &Answer{size: size} }

// TestCacheIsBounded: what was not used for longest goes first, and memory stays within the
// limit whatever comes.
func TestCacheIsBounded(t *testing.T) {
	const limit = shardCount * 20_000
	c := NewCache(limit)
	now := func() time.Time { return time.Unix(0, 0) }
	put := func(k Key, size int) {
		if _, _, err := c.Ask(t.Context(), k, "", time.Minute, now, func() (*Answer, error) { return answer(size), nil }); err != nil {
			t.Fatal(err)
		}
	}
	kept := key("kept")
	put(kept, 100)
	for i := range 5000 {
		put(key("n", fmt.Sprint(i)), i%3000)
		if c.Get(kept, now()) == nil {
			t.Fatalf("what is used all the time was dropped after %d others", i)
		}
		if _, bytes := c.Size(); bytes > limit {
			t.Fatalf("%d bytes, limit %d", bytes, limit)
		}
	}
	if n, _ := c.Size(); n < shardCount {
		t.Errorf("only %d answers are kept", n)
	}
	put(key("huge"), MaxAnswer)
	if c.Get(key("huge"), now()) != nil {
		t.Error("an answer larger than its share was kept")
	}
}

// TestCacheForgets: at the end of its time an answer is gone, and errors never were there.
func TestCacheForgets(t *testing.T) {
	c := NewCache(0)
	at := time.Unix(100, 0)
	now := func() time.Time { return at }
	asked := 0
	ask := func(err error) error {
		_, _, err = c.Ask(t.Context(), key("k"), "", time.Second, now, func() (*Answer, error) { asked++; return answer(1), err })
		return err
	}
	broken := errors.New("broken")
	for range 2 {
		if err := ask(broken); !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	for range 3 {
		if err := ask(nil); err != nil {
			t.Fatal(err)
		}
	}
	at = at.Add(time.Second)
	if c.Get(key("k"), at) != nil {
		t.Error("kept beyond its time")
	}
	if err := ask(nil); err != nil || asked != 4 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

// TestFlights: those who wait get what was asked once, leave when they must, and are not left
// waiting by a panic.
func TestFlights(t *testing.T) {
	c := NewCache(0)
	entered, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	lead := func(panics bool) {
		wg.Go(func() {
			defer func() { recover() }()
			c.Ask(context.Background(), key("k"), "GET", time.Minute, time.Now, func() (*Answer, error) {
				entered <- struct{}{}
				<-release
				if panics {
					panic("in the function")
				}
				return answer(1), nil
			})
		})
	}
	none := func() (*Answer, error) { return nil, errors.New("asked again") }
	lead(true)
	<-entered
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Ask(gone, key("k"), "GET", time.Minute, time.Now, none); !errors.Is(err, context.Canceled) {
		t.Errorf("whose client is gone: %v", err)
	}
	if _, _, err := c.Ask(t.Context(), key("k"), "PUT", time.Minute, time.Now, none); err == nil || err.Error() != "asked again" {
		t.Errorf("for another method: %v", err)
	}
	waited := make(chan error)
	go func() {
		_, _, err := c.Ask(t.Context(), key("k"), "GET", time.Minute, time.Now, func() (*Answer, error) { return nil, ErrAbandoned })
		waited <- err
	}()
	release <- struct{}{}
	if err := <-waited; !errors.Is(err, ErrAbandoned) {
		t.Errorf("after a panic: %v", err)
	}
	wg.Wait()
	lead(false)
	<-entered
	close(release)
	wg.Wait()
	if c.Get(key("k"), time.Now()) == nil {
		t.Error("the answer was not kept")
	}
}

// FuzzKey: lists of values have the same key only when they are the same.
func FuzzKey(f *testing.F) {
	f.Add("a", "b", "ab", "")
	f.Add("\x01a", "", "", "\x01a")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		same := a == c && b == d
		if got := key(a, b) == key(c, d); got != same {
			t.Fatalf("%q %q and %q %q: %v", a, b, c, d, got)
		}
		two := NewKey(nil, "m")
		two.Begin(2)
		two.Add(a)
		two.Add(b)
		if two.Key() == key(a, b) || binary.Size(two.Key()) != 32 {
			t.Fatalf("two values of one source are those of two: %q %q", a, b)
		}
	})
}
