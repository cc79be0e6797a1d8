package gateway

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// broken is a geography that breaks its promises.
type broken struct{}

func (broken) Country(netip.Addr) (string, string) { panic("no database") }
func (broken) ASN(netip.Addr) uint32               { return 0 }

// nothing is a References without anything.
type nothing struct{}

func (nothing) IPSet(string) *wafrules.IPSet                     { return nil }
func (nothing) RegexPatternSet(string) *wafrules.RegexPatternSet { return nil }
func (nothing) RuleGroup(string) *wafrules.Group                 { return nil }
func (nothing) HasGeography() bool                               { return true }
func (nothing) ManagedGroup(string, string, string) (*wafrules.Group, error) {
	return nil, errors.New("no groups here")
}

// inspected runs the web ACL step of a request with this body, behind a web ACL of one rule.
func inspected(t *testing.T, statement string, req *message.Request) *Refusal {
	t.Helper()
	acl, err := wafrules.ParseWebACL([]byte(`{"DefaultAction":{"Allow":{}},"VisibilityConfig":{"MetricName":"m"},"Rules":[{"Name":"r","Priority":0,"Action":{"Block":{}},"VisibilityConfig":{"MetricName":"m"},"Statement":` + statement + `}]}`))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := wafrules.Compile(acl, wafrules.Identity{ARN: "arn:acl"}, wafrules.Environment{References: nothing{}, Geography: broken{}})
	if err != nil {
		t.Fatal(err)
	}
	req.Conn = &message.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:1"), Local: netip.MustParseAddrPort("192.0.2.2:80")}
	x := &exchange{g: &Gateway{}, req: req, start: time.Unix(1, 0), stage: &plan.Stage{Guard: &inspect.Guard{ACL: compiled}, Compression: new(plan.Compression)}}
	if err := x.decode(); err != nil {
		t.Fatal(err)
	}
	var r *Refusal
	if err := x.inspect(); err != nil && !errors.As(err, &r) {
		t.Fatalf("%v is not a refusal", err)
	}
	if (r != nil) != (x.waf.problem != "" || x.waf.response == "WAF_BLOCK") {
		t.Errorf("refusal %v, but $context.waf has %+v", r, x.waf)
	}
	return r
}

// What the web ACL could not decide about is refused: closed, but for what is wrong with
// the body itself.
func TestUndecidedRequestsAreRefused(t *testing.T) {
	const onBody = `{"SizeConstraintStatement":{"FieldToMatch":{"Body":{"OversizeHandling":"CONTINUE"}},"ComparisonOperator":"GT","Size":3,"TextTransformations":[{"Priority":0,"Type":"NONE"}]}}`
	with := func(err error) *message.Request {
		return &message.Request{Method: "POST", Path: "/", Host: "h", ContentLength: -1, Body: iotest.ErrReader(err)}
	}
	if r := inspected(t, `{"GeoMatchStatement":{"CountryCodes":["DE"]}}`, &message.Request{Method: "GET", Path: "/", Host: "h"}); r == nil || r.Status != 500 || r.Reason != "waf-error" || !strings.Contains(r.Cause.Error(), "no database") {
		t.Errorf("a broken matcher: %+v", r)
	}
	if r := inspected(t, onBody, with(errors.New("reset"))); r == nil || r.Status != 400 || r.Reason != "body-unreadable" {
		t.Errorf("a body that breaks off: %+v", r)
	}
	if r := inspected(t, onBody, with(message.ErrBodyTooLarge)); r == nil || r.Status == 500 || r.Reason != "body-too-large" {
		t.Errorf("a body that is too large: %+v", r)
	}
	if r := inspected(t, onBody, &message.Request{Method: "POST", Path: "/", Host: "h", ContentLength: 4, Body: strings.NewReader("long")}); r == nil || r.Reason != "waf" {
		t.Errorf("a blocked body: %+v", r)
	}
	if r := inspected(t, onBody, &message.Request{Method: "POST", Path: "/", Host: "h", ContentLength: 2, Body: strings.NewReader("ok")}); r != nil {
		t.Errorf("an allowed body: %+v", r)
	}
	// What the gateway decodes is inspected as the backend gets it, not decoded again: "ok" in
	// deflate's own form, and more behind it.
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	io.WriteString(w, "\xcb\xcf\x06\x00 and more")
	w.Close()
	r := &message.Request{Method: "POST", Path: "/", Host: "h", ContentLength: int64(b.Len()), Body: &b, Header: message.Header{{Name: "Content-Encoding", Value: "deflate"}}}
	if r := inspected(t, onBody, r); r == nil || r.Reason != "waf" {
		t.Errorf("a body that can be decoded twice: %+v", r)
	}
}
