package gateway

import (
	"path"
	"slices"
	"strings"
)

// otherSpellings returns how a raw path, without slashes at its beginning, is read by those who
// take escapes, dot segments, empty segments and a slash at the end out of it. It has no member
// for a path that they all read as it is.
func otherSpellings(raw string) []string {
	if !strings.ContainsAny(raw, "%\\;") && !strings.Contains(raw, "//") && !strings.Contains("/"+raw, "/.") && !strings.HasSuffix(raw, "/") {
		return nil
	}
	var all []string
	add := func(path string) {
		if path != raw && !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	plain := strings.ReplaceAll(unescapePath(raw), `\`, "/")
	for _, read := range []string{plain, withoutParameters(plain)} {
		clean := strings.TrimPrefix(path.Clean("/"+read), "/")
		add(clean)
		if strings.HasSuffix(read, "/") && clean != "" {
			add(clean + "/")
		}
	}
	add(strings.TrimRight(raw, "/"))
	return all
}

// withoutParameters takes the parameters out of the segments of a path: "a;x=1/b" is "a/b" to
// servlet containers.
func withoutParameters(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}
