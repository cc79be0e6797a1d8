package gateway

import (
	"strconv"
	"strings"

	"gatehouse/internal/plan"
)

// mock answers without a backend: the rendered request template names the status that
// selects the integration response (routing-and-integrations, section 4.1).
func (x *exchange) mock(i *plan.Integration) error {
	t, err := x.requestTemplate(i)
	if err != nil {
		return err
	}
	text, err := x.requestPayload(i, t)
	if err != nil {
		return err
	}
	status, ok := mockStatus(string(text))
	if !ok {
		return misconfigured("mock-status", "Unable to parse statusCode. It should be an integer that is defined in the request template.")
	}
	r, err := selectResponse(i, strconv.Itoa(status), status)
	if err != nil {
		return err
	}
	return x.finish(r, noSource{})
}

// mockStatus finds the integer member statusCode of what need not be JSON: names may be
// bare or quoted, and what follows the member is only looked at for its end. The recorded
// cases decide (routing-and-integrations, section 4.1).
func mockStatus(text string) (int, bool) {
	s := strings.TrimSpace(text)
	if !strings.HasPrefix(s, "{") || !strings.HasSuffix(s, "}") {
		return 0, false
	}
	s = strings.TrimSpace(s[1:])
	name, rest, ok := mockName(s)
	for ok && name != "statusCode" {
		// Another member comes first: step over its value to the next comma.
		i := strings.IndexByte(rest, ',')
		if i < 0 {
			return 0, false
		}
		name, rest, ok = mockName(strings.TrimSpace(rest[i+1:]))
	}
	if !ok {
		return 0, false
	}
	rest = strings.TrimSpace(rest)
	end := 0
	for end < len(rest) && (rest[end] >= '0' && rest[end] <= '9' || end == 0 && rest[end] == '-') {
		end++
	}
	n, err := strconv.Atoi(rest[:end])
	if err != nil {
		return 0, false
	}
	return n, mockTail(strings.TrimSpace(rest[end:]))
}

// mockName reads a member's name, bare or in matching quotes, and its colon.
func mockName(s string) (name, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	if q := s[0]; q == '"' || q == '\'' {
		end := strings.IndexByte(s[1:], q)
		if end < 0 {
			return "", "", false
		}
		name, s = s[1:end+1], s[end+2:]
	} else {
		end := strings.IndexAny(s, ": \t\r\n,{}")
		if end <= 0 {
			return "", "", false
		}
		name, s = s[:end], s[end:]
	}
	rest, ok = strings.CutPrefix(strings.TrimSpace(s), ":")
	return name, rest, ok
}

// mockTail judges what follows the status: the end of the object, or a comma and
// anything that does not open an object of its own.
func mockTail(s string) bool {
	if s == "}" {
		return true
	}
	rest, ok := strings.CutPrefix(s, ",")
	return ok && !strings.HasPrefix(strings.TrimSpace(rest), "{")
}
