package sdk

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/model"
)

func TestFunctionNames(t *testing.T) {
	for _, c := range [][3]string{
		{"/", "GET", "rootGet"}, {"/pets", "GET", "petsGet"}, {"/pets/{petId}", "PUT", "petsPetIdPut"}, {"/a-b/{c+}", "DELETE", "aBCDelete"},
		{"/1", "HEAD", "_1Head"}, {"/{proxy+}", "OPTIONS", "proxyOptions"},
	} {
		if got := functionName(c[0], c[1]); got != c[2] {
			t.Errorf("%s %s: %s, want %s", c[1], c[0], got, c[2])
		}
	}
}

// Functions of different methods have different names, and nothing that an API is called ends a
// comment or a literal of the module.
func TestModule(t *testing.T) {
	method := func(verb string) map[string]*model.Method {
		return map[string]*model.Method{verb: {HTTPMethod: verb, AuthorizationType: "NONE", RequestParameters: map[string]bool{"method.request.header.*/x": true}}}
	}
	s := &model.Snapshot{
		API:       model.RestAPI{Name: "*/ alert(1) // \u2028 ' \" ` ${x}"},
		Resources: []model.Resource{{Path: "/a-b", Methods: method("GET")}, {Path: "/a/b", Methods: method("GET")}, {Path: "/any", Methods: method("ANY")}},
	}
	archive, err := JavaScript(s, Target{InvokeURL: "https://h/s", Region: "r", Time: time.Unix(1e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open("apiGateway-js-sdk/apigClient.js")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	for want, n := range map[string]int{"      aBGet: ": 1, "      aBGet2: ": 1, "      anyPatch: ": 1, "      anyGet: ": 1, "\u2028": 0, "// Client of the API \"* / alert(1)": 1, "*/x */": 0} {
		if got := strings.Count(string(text), want); got != n {
			t.Errorf("%q stands %d times, want %d:\n%s", want, got, n, text)
		}
	}
}
