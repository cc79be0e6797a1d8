package gateway

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// eventExchange is a request that reached its method.
func eventExchange(path, query string, header ...message.Field) *exchange {
	x := &exchange{
		g:    &Gateway{},
		req:  &message.Request{Method: "GET", Path: path, RawQuery: query, Host: "api1.execute-api.us-east-1.example.com", Header: header},
		verb: "GET", requestID: "11111111-2222-3333-4444-555555555555", extendedID: "AAAAAAAAAAAAAAA=",
		start:  time.UnixMilli(1583349317135),
		trace:  newTrace("Root=1-5e5ff5c5-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0", time.Time{}),
		stage:  &plan.Stage{API: plan.APIKey{Region: "us-east-1", ID: "api1"}, Account: "123456789012", Name: "prod", DeploymentID: "dep1", Root: &plan.Node{}},
		method: &plan.Method{Resource: &plan.Resource{ID: "res1", Path: "/pets/{id}"}, Name: "GET"},
	}
	x.req.Conn = &message.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:5555")}
	_, x.path, _ = cutSegment(path)
	x.stage.Root.Insert(x.method.Resource)
	x.method.Resource.SetMethod("GET", x.method)
	x.stage.Root.Match(x.path, plan.IndexMethod("GET"), &x.params)
	return x
}

// TestEventParts compares, byte by byte, what functions are told of a request.
func TestEventParts(t *testing.T) {
	x := eventExchange("/prod/pets/a%2Bb", "q=1&e=%C3%A9&q=two+words&none",
		message.Field{Name: "Host", Value: "h"}, message.Field{Name: "tEsT-HEADeR", Value: "1"}, message.Field{Name: "authorization", Value: "Bearer \"x\""},
		message.Field{Name: "Connection", Value: "close"}, message.Field{Name: "Accept", Value: "a"}, message.Field{Name: "Accept", Value: "b"},
		message.Field{Name: "X-Forwarded-For", Value: "10.1.1.1"}, message.Field{Name: "X-Forwarded-Proto", Value: "gopher"})
	b := appendEventHeader(nil, x.eventHeader(), emptyIsNull)
	b = x.appendEventQuery(append(b, '\n'), emptyIsNull)
	b = x.appendEventPath(append(b, '\n'), emptyIsNull)
	b = x.appendEventStageVariables(append(b, '\n'), emptyIsNull)
	b = x.appendRequestContext(append(b, '\n'), true)
	want := `"headers":{"Accept":"b","Authorization":"Bearer \"x\"","Host":"api1.execute-api.us-east-1.example.com","tEsT-HEADeR":"1",` +
		`"X-Amzn-Trace-Id":"Root=1-5e5ff5c5-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0","X-Forwarded-For":"10.1.1.1, 192.0.2.1","X-Forwarded-Port":"80","X-Forwarded-Proto":"http"},` +
		`"multiValueHeaders":{"Accept":["a","b"],"Authorization":["Bearer \"x\""],"Host":["api1.execute-api.us-east-1.example.com"],"tEsT-HEADeR":["1"],` +
		`"X-Amzn-Trace-Id":["Root=1-5e5ff5c5-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0"],"X-Forwarded-For":["10.1.1.1, 192.0.2.1"],"X-Forwarded-Port":["80"],"X-Forwarded-Proto":["http"]}
"queryStringParameters":{"q":"two words","e":"é","none":""},"multiValueQueryStringParameters":{"q":["1","two words"],"e":["é"],"none":[""]}
"pathParameters":{"id":"a%2Bb"}
"stageVariables":null
{"resourceId":"res1","resourcePath":"/pets/{id}","httpMethod":"GET","extendedRequestId":"AAAAAAAAAAAAAAA=","requestTime":"04/Mar/2020:19:15:17 +0000","path":"/prod/pets/a%2Bb","accountId":"123456789012","protocol":"HTTP/1.1","stage":"prod","domainPrefix":"api1","requestTimeEpoch":1583349317135,"requestId":"11111111-2222-3333-4444-555555555555",` +
		`"identity":{"cognitoIdentityPoolId":null,"accountId":null,"cognitoIdentityId":null,"caller":null,"sourceIp":"192.0.2.1","principalOrgId":null,"accessKey":null,"cognitoAuthenticationType":null,"cognitoAuthenticationProvider":null,"userArn":null,"userAgent":null,"user":null},` +
		`"domainName":"api1.execute-api.us-east-1.example.com","deploymentId":"dep1","apiId":"api1"}`
	if string(b) != want {
		t.Errorf("got\n%s\nwant\n%s", b, want)
	}
}

// TestEventEmptyMaps: proxy events have null where authorizer events have {}.
func TestEventEmptyMaps(t *testing.T) {
	x := eventExchange("//prod//pets/1", "")
	x.params.Reset()
	b := x.appendEventPath(x.appendEventQuery(nil, emptyIsObject), emptyIsObject)
	if want := `"queryStringParameters":{},"multiValueQueryStringParameters":{}"pathParameters":{}`; string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
	if got := x.eventPath(); got != "/pets/1" {
		t.Errorf("path %q", got)
	}
	x.auth = authorized{lambda: true, principal: "p"}
	x.stage.Variables = map[string]string{"b": "2", "a": "1"}
	if b := x.appendEventStageVariables(nil, emptyIsNull); string(b) != `"stageVariables":{"a":"1","b":"2"}` {
		t.Errorf("got %s", b)
	}
	if b := x.appendRequestContext(nil, true); !bytes.HasPrefix(b, []byte(`{"resourceId":"res1","authorizer":{"principalId":"p","integrationLatency":0},"resourcePath"`)) {
		t.Errorf("got %s", b)
	}
}

// FuzzEvent: whatever the client sends, an event is JSON that says the same.
func FuzzEvent(f *testing.F) {
	f.Add("/prod/pets/%41", "a=%zz&b=\xff", "X-\"y", "v\x00\u2028")
	f.Fuzz(func(t *testing.T, path, query, name, value string) {
		x := eventExchange("/prod/"+path, query, message.Field{Name: "N" + name, Value: value})
		b := append([]byte{'{'}, appendEventHeader(nil, x.eventHeader(), emptyIsObject)...)
		b = x.appendEventQuery(append(b, ','), emptyIsObject)
		b = x.appendEventPath(append(b, ','), emptyIsObject)
		b = x.appendRequestContext(append(b, `,"requestContext":`...), true)
		b = append(b, '}')
		var e struct {
			Headers           map[string]string
			MultiValueHeaders map[string][]string
			RequestContext    map[string]any
		}
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		for name, v := range e.Headers {
			if all := e.MultiValueHeaders[name]; len(all) == 0 || all[len(all)-1] != v {
				t.Fatalf("header %q: %q of %q", name, v, all)
			}
		}
		if e.RequestContext["apiId"] != "api1" {
			t.Fatalf("requestContext was written over: %s", b)
		}
	})
}
