package gateway

import (
	"strings"

	"gatehouse/internal/message"
)

// What becomes of a header field on its way to or from a backend, by its name in lower
// case (routing-and-integrations, section 6; aws-behaviour-recorded, section 25).
type fate uint8

const (
	pass  fate = iota
	drop       // never passed on
	remap      // renamed to x-amzn-Remapped-NAME
)

// proxyRequest says what HTTP_PROXY passes of the client's header. The framing and the
// connection are the upstream client's own.
var proxyRequest = map[string]fate{
	"connection": drop, "content-encoding": drop, "content-length": drop, "content-md5": drop, "expect": drop, "host": drop,
	"keep-alive": drop, "max-forwards": drop, "proxy-authenticate": drop, "proxy-authorization": drop, "proxy-connection": drop,
	"server": drop, "te": drop, "trailer": drop, "transfer-encoding": drop, "upgrade": drop, "via": drop, "www-authenticate": drop,
	"x-http-method-override":   drop, // it was for the gateway; whoever wants it there maps it (section 1)
	"x-amzn-apigateway-api-id": drop, "x-amzn-trace-id": drop, "x-forwarded-for": drop, "x-forwarded-port": drop, "x-forwarded-proto": drop,
}

// proxyResponse says what HTTP_PROXY answers of the backend's header. Content-Encoding
// passes as the guide's table has it: dropping it would leave a body that nobody can read.
var proxyResponse = map[string]fate{
	"connection": remap, "content-length": remap, "date": remap, "server": remap, "x-amzn-requestid": remap,
	"transfer-encoding": drop, "via": drop, "keep-alive": drop, "proxy-connection": drop, "te": drop, "trailer": drop, "upgrade": drop,
	"expect": drop, "host": drop, "proxy-authenticate": drop, "x-amz-apigw-id": remap,
	"authorization": pass, "www-authenticate": pass,
}

// functionResponse says what becomes of a field that a function behind AWS_PROXY answers.
// Fields of the gateway's own are renamed: who reads them must not take the function's word.
var functionResponse = map[string]fate{
	"connection": remap, "content-length": remap, "date": remap, "server": remap,
	"authorization": remap, "content-md5": remap, "max-forwards": remap, "user-agent": remap, "www-authenticate": remap,
	"x-amzn-requestid": remap, "x-amz-apigw-id": remap, "x-amzn-trace-id": remap,
	"transfer-encoding": drop, "expect": drop, "host": drop, "keep-alive": drop, "proxy-authenticate": drop, "proxy-connection": drop,
	"te": drop, "trailer": drop, "upgrade": drop, "via": drop,
}

// mappedRequest says what becomes of a field that a mapping sets on a request to an HTTP
// backend. Those that are refused are found at compilation.
var mappedRequest = map[string]fate{
	"connection": drop, "proxy-authenticate": drop, "te": drop, "via": drop, "expect": drop, "keep-alive": drop, "proxy-connection": drop,
}

// mappedResponse says what becomes of a field that a mapping sets on a response.
var mappedResponse = map[string]fate{
	"authorization": remap, "connection": remap, "content-length": remap, "content-md5": remap, "date": remap, "expect": remap,
	"host": remap, "max-forwards": remap, "proxy-authenticate": remap, "server": remap, "trailer": remap, "upgrade": remap,
	"user-agent": remap, "www-authenticate": remap, "transfer-encoding": drop,
}

// hidden are the request headers that mappings and templates never see.
var hidden = map[string]fate{
	"connection": drop, "content-length": drop, "content-md5": drop, "expect": drop, "max-forwards": drop, "proxy-authenticate": drop,
	"server": drop, "te": drop, "transfer-encoding": drop, "trailer": drop, "upgrade": drop, "www-authenticate": drop,
}

func hiddenHeader(name string) bool { return fateOf(hidden, name) == drop }

// longestListed is the length of the longest name in the tables.
const longestListed = len("x-amzn-apigateway-api-id")

// fateOf looks a name up without regard to case and without allocating.
func fateOf(table map[string]fate, name string) fate {
	if len(name) > longestListed {
		return pass
	}
	var lower [longestListed]byte
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return table[string(lower[:len(name)])]
}

// remapped returns the name that a remapped field is answered under.
func remapped(name string) string {
	switch name { // what nearly every backend sends costs no memory
	case "Date":
		return "x-amzn-Remapped-Date"
	case "Server":
		return "x-amzn-Remapped-Server"
	case "Connection":
		return "x-amzn-Remapped-Connection"
	case "Content-Length":
		return "x-amzn-Remapped-Content-Length"
	}
	return "x-amzn-Remapped-" + name
}

// connectionFields returns the names that Connection lists: they end at this hop
// (RFC 9110 section 7.6.1).
func connectionFields(h message.Header) string {
	for i := range h {
		if message.EqualName(h[i].Name, "Connection") {
			return strings.Join(h.Values("Connection"), ",")
		}
	}
	return ""
}
