// Package sdk writes client libraries for deployed APIs: today one in JavaScript. It is a pure
// function of what a stage serves; GetSdk calls it. Safe for concurrent use.
package sdk

import (
	"archive/zip"
	"bytes"
	_ "embed" // the common part of every library
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/model"
)

// clientSource is the part of a library that is the same for every API.
//
//go:embed client.js
var clientSource string

// A Target is the stage that a library calls by default.
type Target struct {
	InvokeURL string // https://host/stage
	Region    string
	Time      time.Time // of the deployment: the same deployment gives the same bytes
}

// JavaScript writes a library as the bytes of a zip archive: an ECMAScript module without
// dependencies with one function for each method.
func JavaScript(s *model.Snapshot, to Target) ([]byte, error) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	operations := operationsOf(s)
	for _, f := range []struct{ name, text string }{
		{"package.json", packageFile(s)},
		{"apigClient.js", module(s, to, operations)},
		{"lib/client.js", clientSource},
		{"README.md", readme(s, to, operations)},
	} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "apiGateway-js-sdk/" + f.name, Method: zip.Deflate, Modified: to.Time.UTC()})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// operation is one function of a library.
type operation struct {
	name       string
	Method     string            `json:"method"`
	Path       string            `json:"path"`
	IAM        bool              `json:"iam"`
	Parameters map[string]string `json:"parameters"` // name to place: path, querystring, header
	body       bool
}

// verbs are what ANY stands for.
var verbs = []string{"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH"}

// operationsOf lists the methods of an API by path; ANY becomes the verbs that have no method.
func operationsOf(s *model.Snapshot) []operation {
	taken := map[string]bool{}
	var out []operation
	resources := slices.SortedFunc(slices.Values(s.Resources), func(a, b model.Resource) int { return strings.Compare(a.Path, b.Path) })
	for _, r := range resources {
		for _, verb := range verbs {
			m := r.Methods[verb]
			if m == nil {
				m = r.Methods["ANY"]
			}
			if m == nil {
				continue
			}
			o := operation{
				Method: verb, Path: r.Path, IAM: m.AuthorizationType == "AWS_IAM", Parameters: map[string]string{},
				body: verb != "GET" && verb != "HEAD",
			}
			for key := range m.RequestParameters {
				if place, name, ok := strings.Cut(strings.TrimPrefix(key, "method.request."), "."); ok {
					o.Parameters[name] = place
				}
			}
			for part := range strings.SplitSeq(r.Path, "/") {
				if name, ok := strings.CutPrefix(part, "{"); ok {
					o.Parameters[strings.TrimSuffix(strings.TrimSuffix(name, "}"), "+")] = "path"
				}
			}
			o.name = functionName(r.Path, verb)
			for n := 2; taken[o.name]; n++ {
				o.name = functionName(r.Path, verb) + strconv.Itoa(n)
			}
			taken[o.name] = true
			out = append(out, o)
		}
	}
	return out
}

// functionName is the service's: the words of the path, then the verb. "/pets/{petId}" with GET is
// petsPetIdGet, "/" is rootGet.
func functionName(path, verb string) string {
	words := strings.FieldsFunc(path, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	})
	if len(words) == 0 {
		words = []string{"root"}
	}
	name := strings.ToLower(words[0][:1]) + words[0][1:]
	for _, w := range words[1:] {
		name += strings.ToUpper(w[:1]) + w[1:]
	}
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name + verb[:1] + strings.ToLower(verb[1:])
}

// quote writes a Go value as a JavaScript literal: JSON is one, and the Go encoder escapes what
// could end a script or a line.
func quote(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("sdk: " + err.Error()) // strings, booleans and maps of strings alone come here
	}
	return string(text)
}

// comment makes text fit for a line of a comment.
func comment(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "*/", "* /")), " ")
}

func packageFile(s *model.Snapshot) string {
	return "{\n  \"name\": \"apigateway-js-sdk\",\n  \"version\": \"1.0.0\",\n  \"private\": true,\n  \"type\": \"module\",\n  \"main\": \"apigClient.js\",\n  \"description\": " + quote(s.API.Name) + "\n}\n"
}

func module(s *model.Snapshot, to Target, operations []operation) string {
	var b strings.Builder
	b.WriteString("// Client of the API " + comment(quote(s.API.Name)) + ". Generated: changes are lost when it is made again.\n\n")
	b.WriteString("import { Client, ApiError } from './lib/client.js';\n\nexport { ApiError };\n\n")
	b.WriteString("const defaults = { invokeUrl: " + quote(to.InvokeURL) + ", region: " + quote(to.Region) + " };\n\n")
	b.WriteString(`export const apigClientFactory = {
  /**
   * Makes a client. config may give invokeUrl, region, apiKey, accessKey, secretKey, sessionToken,
   * defaultContentType and defaultAcceptType.
   */
  newClient(config = {}) {
    const client = new Client({ ...defaults, ...config });
    return {
`)
	for _, o := range operations {
		b.WriteString("      /** " + comment(o.Method+" "+o.Path) + parameterNote(o) + " */\n")
		b.WriteString("      " + o.name + ": (params, body, additionalParams) =>\n        client.call(" + quote(o) + ", params, body, additionalParams),\n\n")
	}
	b.WriteString("    };\n  },\n};\n\nexport default apigClientFactory;\n")
	return b.String()
}

func parameterNote(o operation) string {
	if len(o.Parameters) == 0 {
		return ""
	}
	return "; params: " + comment(strings.Join(slices.Sorted(maps.Keys(o.Parameters)), ", "))
}

func readme(s *model.Snapshot, to Target, operations []operation) string {
	var b strings.Builder
	b.WriteString("# " + comment(s.API.Name) + "\n\nA client of this API for browsers and Node.js 18 or later.\n\n")
	b.WriteString("```js\nimport { apigClientFactory } from './apigClient.js';\n\nconst client = apigClientFactory.newClient({ apiKey: '...' });\n")
	if len(operations) > 0 {
		b.WriteString("const { status, data } = await client." + operations[0].name + "({ /* params */ });\n")
	}
	b.WriteString("```\n\nCalls go to " + to.InvokeURL + " unless `invokeUrl` says otherwise. Methods that need a signature take `accessKey`,\n`secretKey` and `sessionToken`. An answer outside 200 to 299 is thrown as an `ApiError` with `status`, `headers` and `data`.\n\n")
	b.WriteString("| Function | Method | Body |\n|---|---|---|\n")
	for _, o := range operations {
		body := ""
		if o.body {
			body = "yes"
		}
		b.WriteString("| `" + o.name + "` | `" + o.Method + " " + strings.ReplaceAll(o.Path, "|", `\|`) + "` | " + body + " |\n")
	}
	return b.String()
}
