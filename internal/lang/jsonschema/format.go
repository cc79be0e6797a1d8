package jsonschema

import (
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/lang/regex"
)

// format is a value of the keyword format that is checked. Others mean nothing.
type format struct {
	valid     func(string) bool
	complaint string // what a message says a wrong string is
}

// formats are those of draft 4, section 7.3, and regex.
var formats = map[string]*format{
	"date-time": {isDateTime, "invalid against requested date format(s) [yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,12}Z]"},
	"email":     {isEmail, "not a valid email address"},
	"hostname":  {isHostname, "not a valid hostname"},
	"ipv4":      {isIPv4, "not a valid IPv4 address"},
	"ipv6":      {isIPv6, "not a valid IPv6 address"},
	"uri":       {isURI, "not a valid URI"},
	"regex":     {isRegex, "not a valid ECMA 262 regular expression"},
}

// dateTime is the shape of RFC 3339, section 5.6; ranges are checked by time.Parse.
var dateTime = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

func isDateTime(s string) bool {
	if !dateTime.MatchString(s) {
		return false
	}
	s = strings.ToUpper(s)
	if i := strings.Index(s, ":60"); i == 16 { // a leap second is the last one of a day in UTC
		t, err := time.Parse(time.RFC3339Nano, s[:17]+"59"+s[19:])
		return err == nil && t.UTC().Hour() == 23 && t.UTC().Minute() == 59
	}
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && !strings.HasPrefix(s, "<") && !strings.ContainsAny(s[strings.LastIndexByte(s, '@'):], " \t(")
}

// isHostname checks RFC 1034, section 3.1, with digits first as in RFC 1123.
func isHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
				return false
			}
		}
	}
	return true
}

func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func isIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == ""
}

// isURI accepts absolute URIs of RFC 3986.
func isURI(s string) bool {
	if strings.ContainsAny(s, " \\<>\"{}|^`") || !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	u, err := url.Parse(s)
	return err == nil && u.IsAbs()
}

func isRegex(s string) bool {
	_, err := regex.Compile(s, regex.ECMA, false)
	return err == nil
}
